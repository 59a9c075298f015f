import type { Interceptor, Transport } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-web';
import { authorizing, type Credential } from './authorize.ts';
import { createClients, type RagmeshClients } from './clients.ts';
import { retrying } from './retry.ts';

// The package @ragmesh/client: typed clients of every public service, for browsers, Node, Deno and Bun.

export { Code, ConnectError } from '@connectrpc/connect';
export type { Credential } from './authorize.ts';
export { createClients, type RagmeshClients } from './clients.ts';
export { retrying } from './retry.ts';

/** How to reach a mesh. */
export interface RagmeshOptions {
  /** Address of the edge: "https://ragmesh.example". */
  baseUrl: string;
  /** An API key, a token of the identity provider, or a function that returns a current one; it is called for each call. */
  credential: Credential;
  /** Whether calls that may be repeated are, if the server is not available. @default true */
  retries?: boolean;
  /** Further interceptors, outside of the retries. @default none */
  interceptors?: readonly Interceptor[];
}

/**
 * Creates clients that call the edge by the Connect protocol with `fetch`. Uploads are streams of the client, which `fetch` does not have:
 * `createRagmesh` of "@ragmesh/client/node" does.
 */
export function createRagmesh(options: RagmeshOptions): RagmeshClients {
  return createClients(createRagmeshTransport(options));
}

/** Creates the transport of {@link createRagmesh}, for clients of one's own. */
export function createRagmeshTransport({ baseUrl, ...options }: RagmeshOptions): Transport {
  return createConnectTransport({ baseUrl, useBinaryFormat: true, interceptors: interceptorsOf(options) });
}

/** Returns the interceptors of a client: the caller's, retries, the credential. */
export function interceptorsOf({
  credential,
  retries = true,
  interceptors = [],
}: Omit<RagmeshOptions, 'baseUrl'>): Interceptor[] {
  // The last one is the outermost.
  return [authorizing(credential), ...(retries ? [retrying()] : []), ...interceptors].reverse();
}
