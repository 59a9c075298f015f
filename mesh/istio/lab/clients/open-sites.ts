import { createServer as createHttpServer, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { Identity } from '#kit/testing/authority.ts';
import { outside } from '../run/network.ts';

/** Starts sites that answer whatever reaches them, so that a call which is not refused on its way is noticed. */
export async function startOpenSites({ certificate, key }: Identity): Promise<AsyncDisposable> {
  const answer = createHttpServer((_, response) => void response.end('open'));
  const secure = createHttpsServer({ cert: certificate, key }, (_, response) => void response.end('open'));
  const plain = createHttpServer((_, response) => void response.end('open'));
  await Promise.all([
    listen(answer, 80, outside.unlisted),
    listen(secure, 443, outside.unlisted),
    listen(plain, 80, outside.provider),
  ]);
  return {
    async [Symbol.asyncDispose]() {
      for (const server of [answer, secure, plain]) {
        server.closeAllConnections();
        await new Promise((done) => server.close(done));
      }
    },
  };
}

function listen(server: Pick<Server, 'once' | 'listen'>, port: number, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, address, resolve);
  });
}
