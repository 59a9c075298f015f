import { createConnectTransport, createGrpcTransport } from '@connectrpc/connect-node';
import { createClients, type RagmeshClients } from './clients.ts';
import { interceptorsOf, type RagmeshOptions } from './index.ts';

export { Code, ConnectError } from '@connectrpc/connect';
export type { RagmeshOptions } from './index.ts';

/** How to reach a mesh from Node. */
export interface NodeRagmeshOptions extends RagmeshOptions {
  /** "connect", or "grpc", as internal services of a mesh speak it. @default connect */
  protocol?: 'connect' | 'grpc';
}

/** Creates clients over HTTP/2, uploads included. Needs the package @connectrpc/connect-node. */
export function createRagmesh({ baseUrl, protocol = 'connect', ...options }: NodeRagmeshOptions): RagmeshClients {
  const interceptors = interceptorsOf(options);
  const transport =
    protocol === 'grpc'
      ? createGrpcTransport({ baseUrl, interceptors })
      : createConnectTransport({ baseUrl, httpVersion: '2', interceptors });
  return createClients(transport);
}
