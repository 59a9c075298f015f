import { once } from 'node:events';
import { createServer, type OutgoingHttpHeaders } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { createWireClient, isDenied } from './wire.ts';

/** Serves one reply, by headers alone or with a message and trailers. */
async function startServer(headers: OutgoingHttpHeaders, trailers?: OutgoingHttpHeaders) {
  const server = createServer();
  server.on('stream', (stream) => {
    stream.on('error', () => {});
    stream.respond(
      { ':status': 200, ...headers },
      { waitForTrailers: trailers !== undefined, endStream: trailers === undefined },
    );
    stream.on('wantTrailers', () => stream.sendTrailers(trailers ?? {}));
    if (trailers !== undefined) stream.end();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const client = createWireClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  return {
    client,
    async [Symbol.asyncDispose]() {
      client.close();
      await new Promise((done) => server.close(done));
    },
  };
}

test('a refusal by policies is that of a proxy, not of a process that says the same code', async () => {
  await using proxy = await startServer({ 'grpc-status': '7', 'grpc-message': 'RBAC: access denied' });
  const refused = await proxy.client.call('/a.B/C');
  expect(refused).toEqual({ code: 7, message: 'RBAC: access denied', isFromBehind: false });
  expect(isDenied(refused)).toBe(true);
  await using service = await startServer(
    { 'x-envoy-upstream-service-time': '3' },
    { 'grpc-status': '7', 'grpc-message': 'role%20missing' },
  );
  const reply = await service.client.call('/a.B/C');
  expect(reply).toEqual({ code: 7, message: 'role missing', isFromBehind: true });
  expect(isDenied(reply)).toBe(false);
});

test('a connection that is refused is a reply without a code', async () => {
  const server = await startServer({});
  await server[Symbol.asyncDispose]();
  const reply = await createWireClient('http://127.0.0.1:9').call('/a.B/C');
  expect(reply.code).toBe(-1);
  expect(reply.isFromBehind).toBe(false);
});
