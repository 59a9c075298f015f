import { createServer as createHttp1, type IncomingMessage } from 'node:http';
import { createServer as createHttp2 } from 'node:http2';
import { type AddressInfo, createServer } from 'node:net';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import type { Serve } from './stack.ts';

/** connect-node over HTTP/1.1 and cleartext HTTP/2 on one port. */
export const serve: Serve = async ({ service, impl, registry, maxMessageBytes }) => {
  const adapter = connectNodeAdapter({
    routes: (router) => {
      router.service(service, impl);
    },
    readMaxBytes: maxMessageBytes,
    jsonOptions: { registry },
  });
  const handle: typeof adapter = (request, response) => {
    leaveGently(request as IncomingMessage);
    adapter(request, response);
  };
  const http1 = createHttp1(handle);
  const http2 = createHttp2(handle);
  const server = createServer((socket) => {
    socket.once('readable', () => {
      const opening = socket.read() as Buffer | null;
      if (opening === null) return;
      socket.unshift(opening);
      // The preface of HTTP/2 begins like no method of HTTP/1.1.
      const protocol = opening.subarray(0, 3).toString('latin1') === 'PRI' ? http2 : http1;
      protocol.emit('connection', socket);
    });
    socket.on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
};

// connect-node stops reading a request that it refuses, which cuts the connection over HTTP/1.1 and stalls it over HTTP/2:
// either way the client never sees the refusal. So what it leaves unread is read and dropped.
function leaveGently(request: IncomingMessage): void {
  const chunks = () => request.iterator({ destroyOnReturn: false });
  request[Symbol.asyncIterator] = async function* (): AsyncGenerator<unknown, undefined> {
    try {
      yield* chunks();
    } finally {
      request.resume();
    }
  };
}
