import type { Dispatcher } from 'undici';
import type { Env } from '#kit/host/config/config.ts';
import { undici } from '#kit/http/undici.ts';
import type { Clocks } from '../config.ts';
import { HttpExchange } from './http-exchange.ts';

/** The HTTP client of one target. */
export interface TargetFetch {
  /**
   * `fetch` over the target's own connections: bounded in number, kept alive, with a timeout. It handles requests with a text body, and
   * responses that are read once, as a stream or whole. It has no `clone` and no WHATWG streams, which cost several times as much as the
   * rest of a request. All other requests use undici's fetch.
   */
  fetch: typeof globalThis.fetch;
  /** Connections that are open; for tests and metrics. */
  openCount(): number;
  /** Cancels the requests in flight and closes all connections. */
  close(): Promise<void>;
}

/** Idle connections are kept this long, in milliseconds: below the 60 s after which common load balancers drop theirs. */
const keepAliveMs = 30_000;

/** Hosts that are never behind a proxy. */
const loopback = 'localhost,127.0.0.1,[::1]';

/**
 * Creates the connections of a target: as many as concurrent requests are allowed, and a few for lookups. `env`: HTTPS_PROXY, HTTP_PROXY
 * and NO_PROXY, in capitals or not, as other programs read them.
 */
export function createTargetFetch({ connectMs }: Clocks, maxConcurrent: number, env: Env = {}): TargetFetch {
  // Made with the first request: a target that calls no provider needs none of it.
  let agent: Dispatcher | undefined;
  const httpProxy = env.http_proxy || env.HTTP_PROXY || '';
  const httpsProxy = env.https_proxy || env.HTTPS_PROXY || '';
  const connect = (): Dispatcher => {
    const options = {
      connections: maxConcurrent + 4,
      connect: { timeout: connectMs },
      // The clocks of an attempt bound the head and the body; these timeouts would interfere with them.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: keepAliveMs,
      keepAliveMaxTimeout: keepAliveMs,
    };
    if (httpProxy === '' && httpsProxy === '') return new (undici().Agent)(options);
    const noProxy = `${env.no_proxy || env.NO_PROXY || ''},${loopback}`;
    return new (undici().EnvHttpProxyAgent)({ ...options, httpProxy, httpsProxy, noProxy });
  };
  // undici's types and Node's built-in ones differ in names only.
  const follow = (input: unknown, init: unknown) =>
    (undici().fetch as unknown as (input: unknown, init: unknown) => Promise<Response>)(input, init);
  const place = createPlaces();
  return {
    async fetch(input, init) {
      const { method = 'GET', headers, body, signal } = init ?? {};
      agent ??= connect();
      const dispatcher = agent;
      if (input instanceof Request || (body !== undefined && body !== null && typeof body !== 'string')) {
        return follow(input, { ...init, dispatcher });
      }
      const response = await new Promise<Response>((resolve, reject) => {
        const exchange = new HttpExchange(String(input), signal ?? undefined, resolve, reject);
        if (signal?.aborted) return;
        const request = { ...place(String(input)), method, headers: headers ?? {}, body: body ?? null };
        dispatcher.dispatch(request as Parameters<Dispatcher['dispatch']>[0], exchange);
      });
      if (response.status < 300 || response.status >= 400 || !response.headers.has('location')) return response;
      // Redirects are rare. undici's fetch knows to which addresses it may send the key.
      await response.body?.cancel();
      return follow(input, { ...init, dispatcher });
    },
    openCount: () => connectionCount(agent),
    close: async () => {
      await agent?.destroy();
    },
  };
}

/** Returns the open connections of an agent; 0 for those through a proxy, which are not counted. */
function connectionCount(agent: Dispatcher | undefined): number {
  if (agent === undefined || !('stats' in agent)) return 0;
  const stats = agent.stats as Record<string, { connected: unknown }>;
  return Object.values(stats).reduce((sum, { connected }) => sum + Number(connected), 0);
}

/** Returns a function that splits addresses for undici. A target uses one or two, so the last result is cached. */
function createPlaces(): (url: string) => { origin: string; path: string } {
  let known = '';
  let place = { origin: '', path: '' };
  return (url) => {
    if (url === known) return place;
    const { origin, pathname, search } = new URL(url);
    place = { origin, path: pathname + search };
    known = url;
    return place;
  };
}
