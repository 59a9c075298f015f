import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { expect, onTestFinished, test } from 'vitest';
import type { Clocks } from '../config.ts';
import { createTargetFetch } from './fetch.ts';

const clocks: Clocks = {
  connectMs: 2000,
  headersMs: 1000,
  firstTokenMs: 1000,
  idleMs: 1000,
  totalMs: 1000,
  wholeMs: 1000,
};

/** A server, and the way to it. */
async function start(listener: RequestListener, maxConcurrent = 4) {
  const server = createServer(listener);
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const target = createTargetFetch(clocks, maxConcurrent);
  onTestFinished(async () => {
    await target.close();
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { ...target, url, server };
}

test('a reply is read as text, as JSON and piece by piece', async () => {
  const { fetch, url } = await start(async (request, response) => {
    let body = '';
    for await (const part of request) body += part;
    response.writeHead(201, { 'content-type': 'application/json', 'x-twice': ['a', 'b'] });
    response.end(JSON.stringify({ method: request.method, path: request.url, body, key: request.headers.key }));
  });
  const ask = () => fetch(`${url}/v1/x?y=1`, { method: 'POST', headers: { key: 'k' }, body: '退货' });
  const response = await ask();
  expect(response).toMatchObject({ ok: true, status: 201 });
  expect(response.headers.get('X-Twice')).toBe('a, b');
  expect(response.headers.get('none')).toBeNull();
  const wanted = { method: 'POST', path: '/v1/x?y=1', body: '退货', key: 'k' };
  expect(await response.json()).toEqual(wanted);
  let text = '';
  for await (const piece of (await ask()).body ?? []) text += Buffer.from(piece).toString();
  expect(JSON.parse(text)).toEqual(wanted);
});

test.each([
  ['gzip', gzipSync('whole')],
  ['br', brotliCompressSync('whole')],
])('a reply that comes encoded (%s) is decoded', async (encoding, bytes) => {
  const { fetch, url } = await start((_, response) => {
    response.writeHead(200, { 'content-encoding': encoding });
    response.end(bytes);
  });
  const response = await fetch(url);
  expect(response.headers.get('content-encoding')).toBeNull();
  expect(await response.text()).toBe('whole');
});

test('a redirect is followed, with the body', async () => {
  const { fetch, url } = await start(async (request, response) => {
    let body = '';
    for await (const part of request) body += part;
    if (request.url === '/old') response.writeHead(308, { location: '/new' }).end();
    else response.end(`${request.method} ${request.url} ${body}`);
  });
  expect(await (await fetch(`${url}/old`, { method: 'POST', body: 'x' })).text()).toBe('POST /new x');
});

test('a connection that breaks inside a body fails the reader, after what came before', async () => {
  const { fetch, url } = await start((_, response) => {
    response.write('half', () => response.destroy());
  });
  const pieces: string[] = [];
  const read = async () => {
    for await (const piece of (await fetch(url)).body ?? []) pieces.push(Buffer.from(piece).toString());
  };
  await expect(read()).rejects.toMatchObject({ code: 'UND_ERR_SOCKET' });
  expect(pieces).toEqual(['half']);
});

test('a server that is down is reported by its code', async () => {
  const { fetch, url, server } = await start(() => {});
  await new Promise((done) => server.close(done));
  await expect(fetch(url)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});

test('an abort throws its reason immediately, also in the queue for a connection, and closes what is open', async () => {
  let requests = 0;
  const { fetch, url, server } = await start(() => {
    requests += 1;
  }, -3);
  const closed = once(server, 'connection').then(([socket]) => once(socket, 'close'));
  const reason = new Error('gone');
  const [first, queued] = [new AbortController(), new AbortController()];
  const asked = expect(fetch(url, { signal: first.signal })).rejects.toBe(reason);
  await expect.poll(() => requests, { interval: 5 }).toBe(1);
  const waiting = expect(fetch(url, { signal: queued.signal })).rejects.toBe(reason);
  queued.abort(reason);
  await waiting;
  first.abort(reason);
  await asked;
  await closed;
  await expect(fetch(url, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  expect(requests).toBe(1);
});

test('a reader that leaves closes the connection; those who read to the end share theirs', async () => {
  const left = Promise.withResolvers<void>();
  const { fetch, url, openCount } = await start((request, response) => {
    response.write('a');
    if (request.url === '/whole') response.end('b');
    else response.on('close', left.resolve);
  });
  for (let count = 0; count < 8; count++) expect(await (await fetch(`${url}/whole`)).text()).toBe('ab');
  // undici takes a moment to see that a connection is free again.
  expect(openCount()).toBeLessThanOrEqual(2);
  for await (const _ of (await fetch(`${url}/open`)).body ?? []) break;
  await left.promise;
});

test('a slow reader holds the server back', async () => {
  const piece = Buffer.alloc(64 * 1024);
  let sent = 0;
  const { fetch, url } = await start(async (_, response) => {
    for (; sent < 2000 && !response.destroyed; sent++) {
      if (!response.write(piece)) await once(response, 'drain');
    }
    response.end();
  });
  const bytes = (await fetch(url)).body?.[Symbol.asyncIterator]();
  await bytes?.next();
  let before = -1;
  await expect
    .poll(
      () => {
        const isStill = sent === before;
        before = sent;
        return isStill;
      },
      { interval: 100 },
    )
    .toBe(true);
  expect(sent).toBeLessThan(500);
  let size = 0;
  for (let next = await bytes?.next(); next?.done === false; next = await bytes?.next()) size += next.value.length;
  expect(sent).toBe(2000);
  expect(size).toBeGreaterThan(1990 * piece.length);
});
