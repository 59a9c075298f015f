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

// Answers 1 MB on /long, which a client with a small window leaves unread; does not read bodies on /refused.
async function start(): Promise<ClientHttp2Session> {
  port = await openPort({
    name: 'test',
    setting: 'port',
    host: '127.0.0.1',
    port: 0,
    limits: { ...httpLimits, streamResetBurst: 1e6 },
    handle(request, response) {
      if (request.url !== '/refused') request.resume();
      response.on('error', () => {});
      if (request.url !== '/long') response.end('short');
      else response.write(Buffer.alloc(1_000_000));
    },
  });
  session = connect(`http://127.0.0.1:${port.port}`, {
    settings: { initialWindowSize: 1000 },
    // The client would refuse replies itself (see mesh/client/node.ts).
    maxSessionMemory: 2 ** 32 - 1,
  });
  return session;
}

async function request(path: string, isLeft: boolean, body?: Buffer): Promise<number> {
  const stream = (session as ClientHttp2Session).request(
    { ':path': path, ':method': body === undefined ? 'GET' : 'POST' },
    { endStream: body === undefined },
  );
  const closed = new Promise<number>((resolve, reject) => {
    stream.on('error', reject);
    stream.on('close', () => resolve(stream.rstCode));
  });
  if (isLeft) stream.on('data', () => stream.close(constants.NGHTTP2_CANCEL));
  else stream.resume();
  if (body !== undefined) stream.end(body);
  return await closed;
}

test('one connection carries 50,000 requests, of clients that leave and of requests that are refused before their bodies were read as well', async () => {
  await start();
  const body = Buffer.alloc(2000);
  let sentCount = 0;
  const lane = async () => {
    for (let index = sentCount++; index < 50_000; index = sentCount++) {
      const kind = index % 20;
      const code =
        kind === 0
          ? await request('/long', true)
          : await request(kind < 5 ? '/refused' : '/short', false, kind < 10 ? body : undefined);
      expect(code).toBe(kind === 0 ? constants.NGHTTP2_CANCEL : constants.NGHTTP2_NO_ERROR);
    }
  };
  await Promise.all(Array.from({ length: 20 }, lane));
  expect(port?.connectionCount()).toBe(1);
}, 300_000);
