import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTargetFetch } from './fetch.ts';

const clocks = { connectMs: 2000, headersMs: 5000, firstTokenMs: 5000, idleMs: 5000, totalMs: 5000, wholeMs: 5000 };
/** Hosts that were requested from the proxy. */
const tunnels: string[] = [];
const sockets = new Set<Socket>();
const origin = createServer((request, response) => response.end(`path ${request.url}`));
// The proxy knows a host that nothing else knows: without TLS by its whole address, with TLS through a tunnel.
const proxy = createServer((request, response) => {
  const { host, pathname } = new URL(String(request.url));
  tunnels.push(`${host}:80`);
  response.end(`path ${pathname}`);
});
proxy.on('connect', (request, socket: Socket) => {
  tunnels.push(String(request.url));
  const through = connect((origin.address() as AddressInfo).port, '127.0.0.1', () => {
    socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
    through.pipe(socket);
    socket.pipe(through);
  });
  for (const one of [socket, through]) {
    sockets.add(one);
    one.on('error', () => {});
  }
});
let proxyUrl: string;
let originPort: number;
beforeAll(async () => {
  for (const server of [origin, proxy]) await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  proxyUrl = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  originPort = (origin.address() as AddressInfo).port;
});
afterAll(() => {
  for (const socket of sockets) socket.destroy();
  for (const server of [origin, proxy]) server.close();
});

const get = async (env: Record<string, string>, url: string) => {
  const target = createTargetFetch(clocks, 4, env);
  try {
    const response = await target.fetch(url);
    return await response.text();
  } finally {
    await target.close();
  }
};

test.each(['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY'])(
  '%s leads to a provider that only the proxy knows',
  async (name) => {
    const scheme = name === 'HTTPS_PROXY' ? 'https' : 'http';
    const asking = get({ [name]: proxyUrl }, `${scheme}://llm.corp.invalid/v1/models`);
    // The stand-in behind the proxy speaks no TLS: that the tunnel was requested is what counts.
    if (scheme === 'https') await expect(asking).rejects.toThrow();
    else expect(await asking).toBe('path /v1/models');
    expect(tunnels.at(-1)).toBe(`llm.corp.invalid:${scheme === 'https' ? 443 : 80}`);
  },
);

test.each([
  [{ NO_PROXY: '.corp.invalid' }, 'http://llm.corp.invalid/v1'],
  [{ no_proxy: '*' }, 'http://llm.corp.invalid/v1'],
])('a host in %j is requested directly', async (exception, url) => {
  const count = tunnels.length;
  await expect(get({ HTTP_PROXY: proxyUrl, ...exception }, url)).rejects.toThrow();
  expect(tunnels).toHaveLength(count);
});

test('this machine is never behind the proxy, and without a proxy there is none', async () => {
  const count = tunnels.length;
  const url = `http://127.0.0.1:${originPort}/here`;
  expect(await get({ HTTP_PROXY: proxyUrl }, url)).toBe('path /here');
  expect(await get({}, url)).toBe('path /here');
  expect(tunnels).toHaveLength(count);
});
