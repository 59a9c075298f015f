import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { Code } from '@connectrpc/connect';
import { afterEach, describe, expect, test } from 'vitest';
import { isInternalUrl, isPublicAddress, readAllowedHosts } from './addresses.ts';
import { createAddressGuard, type ResolveName } from './guard.ts';
import { createGuardedHttp, type GuardedRequest } from './guarded-http.ts';

const never = new AbortController().signal;
const closes: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closes.splice(0)) await close();
});

/** Starts a server on loopback and returns its port. */
async function serve(handler: RequestListener): Promise<number> {
  const server = createServer(handler).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  closes.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

/** Sends a request through a guard. */
function send(
  url: string,
  options: { allow?: string[]; names?: ResolveName; request?: Partial<GuardedRequest>; signal?: AbortSignal } = {},
) {
  const guard = createAddressGuard(readAllowedHosts(options.allow ?? [], 'allow'), options.names);
  const http = createGuardedHttp({ guard });
  closes.push(() => http.close());
  return http.send({ url, timeoutMs: 5000, maxBytes: 1000, ...options.request }, options.signal ?? never);
}

const refused = { code: Code.InvalidArgument };
const named = (...addresses: string[]): ResolveName => {
  return async () => addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
};

describe('an address is public', () => {
  test.each(['8.8.8.8', '1.1.1.1', '2606:4700:4700::1111', '::ffff:8.8.8.8'])('%s', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });

  test.each([
    '127.0.0.1',
    '10.0.0.1',
    '172.16.0.1',
    '192.168.1.1',
    '100.100.100.200',
    '169.254.169.254',
    '168.63.129.16',
    '192.0.0.192',
    '198.18.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '0.0.0.0',
    '::',
    '::1',
    '::127.0.0.1',
    '::ffff:127.0.0.1',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    '2001::1',
    'fe80::1%eth0',
    'fec0::1',
    'fd00:ec2::254',
    'ff02::1',
    '2001:db8::1',
    'no address',
  ])('%s is not', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });
});

test.each([
  ['https://shop.example/a.png', false],
  ['https://8.8.8.8/a.png', false],
  ['http://localhost:8080/', true],
  ['http://api.localhost/', true],
  ['http://metadata.google.internal/', true],
  ['http://redis:6379/', true],
  ['http://printer.local./', true],
  ['http://2130706433/', true],
  ['http://[::ffff:10.0.0.1]/', true],
  ['http://169.254.169.254/latest', true],
])('%s is internal by its spelling: %s', (url, expected) => {
  expect(isInternalUrl(url)).toBe(expected);
});

describe('a request reaches no internal server', () => {
  test.each([
    '127.0.0.1',
    '[::ffff:127.0.0.1]',
    '[::1]',
    '2130706433',
    '0177.0.0.1',
    '0x7f.1',
    '127.1',
    'localhost',
    'localhost.',
  ])('http://%s', async (host) => {
    let count = 0;
    const port = await serve((_, reply) => reply.end(String(++count)));
    await expect(send(`http://${host}:${port}/`)).rejects.toMatchObject(refused);
    expect(count).toBe(0);
  });

  test('by a name with a public and a private address', async () => {
    const port = await serve((_, reply) => reply.end());
    await expect(
      send(`http://mixed.example:${port}/`, { names: named('93.184.216.34', '127.0.0.1') }),
    ).rejects.toMatchObject(refused);
  });

  test('by a name that is public when it is checked and private when it is used', async () => {
    let count = 0;
    const port = await serve((_, reply) => reply.end(String(++count)));
    const answers = ['93.184.216.34', '127.0.0.1', '127.0.0.1'];
    const rebinding: ResolveName = async () => [{ address: answers.shift() ?? '127.0.0.1', family: 4 }];
    const guard = createAddressGuard(readAllowedHosts([], 'allow'), rebinding);
    // A check before the request says that the name is public.
    await guard.resolve('rebinding.example', port);
    const http = createGuardedHttp({ guard });
    closes.push(() => http.close());
    const sent = http.send({ url: `http://rebinding.example:${port}/`, timeoutMs: 5000, maxBytes: 10 }, never);
    await expect(sent).rejects.toMatchObject(refused);
    expect(count).toBe(0);
  });

  test.each(['http://169.254.169.254/latest/meta-data/', 'http://other.example/', 'file:///etc/passwd', '//[::1]/'])(
    'by a redirect to %s',
    async (location) => {
      const port = await serve((_, reply) => reply.writeHead(302, { location }).end());
      const names: ResolveName = async (name) => named(name === 'other.example' ? '10.0.0.7' : '127.0.0.1')(name);
      const sent = send(`http://first.example:${port}/`, { names, allow: [`first.example:${port}`] });
      await expect(sent).rejects.toMatchObject(refused);
    },
  );

  test('and a fetch that follows redirects by itself does not either', async () => {
    const inner = await serve((_, reply) => reply.end('secret'));
    const port = await serve((_, reply) =>
      reply.writeHead(302, { location: `http://[::ffff:127.0.0.1]:${inner}/` }).end(),
    );
    const guard = createAddressGuard(readAllowedHosts([`127.0.0.1:${port}`], 'allow'));
    const http = createGuardedHttp({ guard });
    closes.push(() => http.close());
    await expect(http.fetch(`http://127.0.0.1:${port}/`, { redirect: 'follow' })).rejects.toThrow('fetch failed');
  });

  test('and the message does not say what a name server answered', async () => {
    const error: unknown = await send('http://intern.example/', { names: named('10.11.12.13') }).catch(
      (thrown) => thrown,
    );
    expect(String(error)).toContain('"intern.example"');
    expect(String(error)).not.toContain('10.11');
  });
});

describe('an allowed host', () => {
  test.each([
    ['host:port', (port: number) => [`127.0.0.1:${port}`], true],
    ['host', () => ['127.0.0.1'], true],
    ['range', () => ['127.0.0.0/8'], true],
    ['another port', () => ['127.0.0.1:1'], false],
    ['another range', () => ['10.0.0.0/8', '::1/128'], false],
  ])('by %s', async (_, allow, isAllowed) => {
    const port = await serve((_request, reply) => reply.end('yes'));
    const sent = send(`http://127.0.0.1:${port}/`, { allow: allow(port) });
    if (isAllowed) expect(Buffer.from((await sent).body).toString()).toBe('yes');
    else await expect(sent).rejects.toMatchObject(refused);
  });

  test.each(['', '10.0.0.0/33', 'a/b', 'http://x', 'a b'])('"%s" is no host', (entry) => {
    expect(() => readAllowedHosts([entry], 'indexer.sources.allowed_hosts')).toThrow('indexer.sources.allowed_hosts.0');
  });
});

describe('a reply is bounded', () => {
  const allow = ['127.0.0.0/8'];

  test('in bytes, with the length in front, without it, and decompressed', async () => {
    const port = await serve(({ url }, reply) => {
      if (url === '/zip') reply.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(1 << 20)));
      else if (url === '/open') reply.write('x'.repeat(2000), () => reply.end());
      else reply.end('x'.repeat(2000));
    });
    for (const path of ['/length', '/open', '/zip']) {
      const error: unknown = await send(`http://127.0.0.1:${port}${path}`, { allow }).catch((thrown) => thrown);
      expect(String(error), path).toContain('1000 bytes');
    }
  });

  test('in time and in redirects', async () => {
    const port = await serve(({ url }, reply) => {
      if (url !== '/hang') reply.writeHead(301, { location: '/again' }).end();
    });
    const url = `http://127.0.0.1:${port}`;
    await expect(send(`${url}/hang`, { allow, request: { timeoutMs: 50 } })).rejects.toMatchObject({
      code: Code.Unavailable,
    });
    await expect(send(`${url}/loop`, { allow })).rejects.toThrow('more than 5 redirects');
    const reason = new Error('left');
    await expect(send(url, { allow, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  test('to the media types that were asked for', async () => {
    const port = await serve((_, reply) => reply.writeHead(200, { 'content-type': 'video/mp4' }).end('film'));
    const url = `http://127.0.0.1:${port}`;
    expect((await send(url, { allow, request: { mediaTypes: ['text/html'] } })).body).toHaveLength(0);
    expect((await send(url, { allow, request: { mediaTypes: ['video/mp4'] } })).body).toHaveLength(4);
  });
});

test('a key does not follow to another origin, and a condition does', async () => {
  const seen: unknown[] = [];
  const other = await serve(({ headers }, reply) => {
    seen.push(headers.authorization, headers['x-key'], headers['if-none-match']);
    reply.end('end');
  });
  const port = await serve((_, reply) => reply.writeHead(307, { location: `http://localhost:${other}/` }).end());
  const headers = { authorization: 'Bearer k', 'x-key': 'k', 'If-None-Match': '"1"' };
  const reply = await send(`http://127.0.0.1:${port}/`, { allow: ['127.0.0.1', 'localhost'], request: { headers } });
  expect(reply).toMatchObject({ status: 200, url: `http://localhost:${other}/` });
  expect(seen).toEqual([undefined, undefined, '"1"']);
});

test('a POST does not follow a redirect', async () => {
  const port = await serve((_, reply) => reply.writeHead(307, { location: '/other' }).end());
  const request = { method: 'POST', body: 'x' };
  expect(await send(`http://127.0.0.1:${port}/`, { allow: ['127.0.0.1'], request })).toMatchObject({ status: 307 });
});
