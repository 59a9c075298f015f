import { request } from 'node:https';
import { connect } from 'node:tls';
import type { DescService } from '@bufbuild/protobuf';
import { type Client, createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import type { Page } from './probe.ts';

/** A client outside of the mesh, which knows the public name and the address of the ingress gateway. */
export interface PublicClientOptions {
  readonly host: string;
  readonly address: string;
  readonly port: number;
  readonly roots: string;
}

/** Returns a client of a contract over gRPC, with a connection of its own. `headers`: its credentials. */
export function createPublicClient<T extends DescService>(
  contract: T,
  { host, address, port, roots }: PublicClientOptions,
  headers: Readonly<Record<string, string>>,
): Client<T> {
  const transport = createGrpcTransport({
    baseUrl: `https://${host}`,
    // The name is not in any DNS.
    nodeOptions: {
      createConnection: () => connect({ host: address, port, servername: host, ca: roots, ALPNProtocols: ['h2'] }),
    },
    interceptors: [
      (next) => (call) => {
        for (const [name, value] of Object.entries(headers)) call.header.set(name, value);
        return next(call);
      },
    ],
  });
  return createClient(contract, transport);
}

/** Requests a page of the ingress gateway. */
export function getPage(
  { host, address, port, roots }: PublicClientOptions,
  path: string,
  headers: Readonly<Record<string, string>>,
): Promise<Page> {
  return new Promise((resolve, reject) => {
    const sent = request(
      { host: address, port, servername: host, ca: roots, path, headers: { host, ...headers } },
      (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (text: string) => {
          body += text;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      },
    );
    sent.setTimeout(30_000, () => sent.destroy(new Error(`${path}: no reply in 30 s`)));
    sent.on('error', reject);
    sent.end();
  });
}
