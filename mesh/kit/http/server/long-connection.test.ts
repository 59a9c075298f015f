import { type ClientHttp2Session, connect, constants } from 'node:http2';
import { afterEach, expect, test } from 'vitest';
import { httpLimits } from './limits.ts';
import { type HttpPort, openPort } from './port.ts';

let port: HttpPort | undefined;
let session: ClientHttp2Session | undefined;
afterEach(async () => {
  session?.destroy();
  await port?.close();
});

// Answers 1 MB, which a client with a small window leaves unread.
async function start(): Promise<ClientHttp2Session> {
  port = await openPort({
    name: 'test',
    setting: 'port',
    host: '127.0.0.1',
    port: 0,
    limits: httpLimits,
    handle(request, response) {
      request.resume();
      response.on('error', () => {});
      if (request.url === '/short') response.end('short');
      else response.write(Buffer.alloc(1_000_000));
    },
  });
  session = connect(`http://127.0.0.1:${port.port}`, { settings: { initialWindowSize: 1000 } });
  return session;
}

async function request(path: string, isLeft: boolean): Promise<number> {
  const stream = (session as ClientHttp2Session).request({ ':path': path });
  const closed = new Promise<number>((resolve, reject) => {
    stream.on('error', reject);
    stream.on('close', () => resolve(stream.rstCode));
  });
  if (isLeft) stream.on('data', () => stream.close(constants.NGHTTP2_CANCEL));
  else stream.resume();
  return await closed;
}

test('a connection serves on after many clients of a proxy have left their answers unread', async () => {
  await start();
  // Each leaves about 1 MB in the queue of its stream.
  for (let count = 0; count < 100; count++) expect(await request('/long', true)).toBe(constants.NGHTTP2_CANCEL);
  expect(await request('/short', false)).toBe(constants.NGHTTP2_NO_ERROR);
});
