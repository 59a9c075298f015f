import { once } from 'node:events';
import { createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { holdCalls } from './held-calls.ts';

test('calls stay open until they are released; those that are refused have ended before', async () => {
  const server = createServer();
  let count = 0;
  server.on('stream', (stream) => {
    stream.on('error', () => {});
    if (++count > 2) {
      stream.respond({ ':status': 200, 'grpc-status': '14', 'grpc-message': 'overflow' }, { endStream: true });
      return;
    }
    stream.respond({ ':status': 200, 'x-envoy-upstream-service-time': '1' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '3', 'grpc-message': 'no message' }));
    stream.resume();
    stream.on('end', () => stream.end());
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const held = holdCalls(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, '/a.B/C', {}, 5);
  expect(await held.ended(3)).toEqual(
    Array.from({ length: 3 }, () => ({ code: 14, message: 'overflow', isFromBehind: false })),
  );
  expect(await held.release()).toEqual(
    Array.from({ length: 2 }, () => ({ code: 3, message: 'no message', isFromBehind: true })),
  );
  await new Promise((done) => server.close(done));
});
