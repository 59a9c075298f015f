import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { stretched } from '../../testing/time.ts';
import { patchGrpc } from './patches.ts';
import { grpcConnectionLimits, startGrpcServer } from './server.ts';

patchGrpc();

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function serve(limits: Partial<typeof grpcConnectionLimits>) {
  const server = await startGrpcServer({
    host: '127.0.0.1',
    port: 0,
    methods: [],
    maxMessageBytes: 1 << 20,
    limits: { ...grpcConnectionLimits, ...limits },
  });
  open.push(() => server.drain(0));
  return server.port;
}

/** Opens a connection that sends `bytes`; it resolves with 'open' when those have been sent, and its end with 'closed'. */
async function connection(port: number, bytes: string | Buffer = '') {
  const socket = connect(port, '127.0.0.1');
  open.push(() => socket.destroy());
  socket.on('error', () => {});
  socket.resume();
  const closed = once(socket, 'close').then(() => 'closed');
  await once(socket, 'connect');
  if (bytes.length > 0) socket.write(bytes);
  return { closed };
}

const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
// HEADERS without END_HEADERS, whose rest never comes.
const halfHeaders = Buffer.from([0, 0, 1, 1, 0, 0, 0, 0, 1, 0x82]);

test.each([
  ['nothing', ''],
  ['half a preface', preface.slice(0, 9)],
  ['settings only', Buffer.concat([Buffer.from(preface), settings])],
  ['half of its headers', Buffer.concat([Buffer.from(preface), settings, halfHeaders])],
])('a connection that sends %s ends when the time of a first request is over', async (_, bytes) => {
  const port = await serve({ headersTimeoutMs: 100 });
  const { closed } = await connection(port, bytes);
  expect(await closed).toBe('closed');
});

/** Makes a call on a connection of its own; returns the connection and the status of the call. */
async function call(port: number) {
  const client = connectHttp2(`http://127.0.0.1:${port}`);
  open.push(() => client.destroy());
  client.on('error', () => {});
  const closed = once(client, 'close').then(() => 'closed');
  const stream = client.request({
    ':method': 'POST',
    ':path': '/x/Y',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  stream.resume().end();
  const [headers] = await once(stream, 'response');
  return { client, closed, status: headers['grpc-status'] };
}

test('a connection with a call outlives that time, and ends after the time of an idle one', async () => {
  const port = await serve({ headersTimeoutMs: 50, sessionIdleTimeoutMs: stretched(150) });
  const { client, closed, status } = await call(port);
  expect(status).toBe('12');
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect(client.destroyed).toBe(false);
  expect(await closed).toBe('closed');
});

test('a client is informed how many calls a connection may carry, and a connection beyond the bound is refused', async () => {
  const port = await serve({ maxConnections: 1, maxConcurrentStreams: 7 });
  const { client } = await call(port);
  expect(client.remoteSettings.maxConcurrentStreams).toBe(7);
  const { closed } = await connection(port);
  expect(await closed).toBe('closed');
  expect(client.destroyed).toBe(false);
});
