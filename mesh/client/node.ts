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

// Node counts what is queued for a request, and does not subtract it when the server refuses it before all was sent: a connection whose count
// has reached the limit (10 MB) fails every call with ENHANCE_YOUR_CALM.
const nodeOptions = { maxSessionMemory: 2 ** 32 - 1 };

/** Creates clients over HTTP/2, uploads included. Needs the package @connectrpc/connect-node. */
export function createRagmesh({ baseUrl, protocol = 'connect', ...options }: NodeRagmeshOptions): RagmeshClients {
  const interceptors = interceptorsOf(options);
  const transport =
    protocol === 'grpc'
      ? createGrpcTransport({ baseUrl, interceptors, nodeOptions })
      : createConnectTransport({ baseUrl, httpVersion: '2', interceptors, nodeOptions });
  return createClients(transport);
}
