import { Agent, fetch as followingFetch } from 'undici';
import type { Clocks } from '../config.ts';
import { HttpExchange } from './http-exchange.ts';

/** The way of one target to its provider. */
export interface TargetFetch {
  /**
   * `fetch` over connections of the target's own: bounded in number, kept alive, opened in time or not at all. It is made for requests
   * with a body of text and replies that are read once, as a stream or whole: there is no `clone`, and nothing of WHATWG's streams,
   * which cost several times what all the rest of a request does. What is beside that goes to undici's own fetch.
   */
  fetch: typeof globalThis.fetch;
  /** Connections that are open; for tests and metrics. */
  openCount(): number;
  /** Breaks off what is under way and closes every connection. */
  close(): Promise<void>;
}

/** Idle connections are kept this long, in milliseconds: below the 60 s after which common load balancers drop theirs. */
const keepAliveMs = 30_000;

/** Creates the connections of a target: as many as requests may be under way at once, and a few to look things up. */
export function createTargetFetch({ connectMs }: Clocks, maxConcurrent: number): TargetFetch {
  const agent = new Agent({
    connections: maxConcurrent + 4,
    connect: { timeout: connectMs },
    // The gateway's own clocks watch head and body; these would only stand in their way.
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: keepAliveMs,
    keepAliveMaxTimeout: keepAliveMs,
  });
  // undici's types and Node's built-in ones differ in names only.
  const follow = followingFetch as unknown as (input: unknown, init: unknown) => Promise<Response>;
  const place = createPlaces();
  return {
    async fetch(input, init) {
      const { method = 'GET', headers, body, signal } = init ?? {};
      if (input instanceof Request || (body !== undefined && body !== null && typeof body !== 'string')) {
        return follow(input, { ...init, dispatcher: agent });
      }
      const response = await new Promise<Response>((resolve, reject) => {
        const exchange = new HttpExchange(String(input), signal ?? undefined, resolve, reject);
        if (signal?.aborted) return;
        const request = { ...place(String(input)), method, headers: headers ?? {}, body: body ?? null };
        agent.dispatch(request as Parameters<typeof agent.dispatch>[0], exchange);
      });
      if (response.status < 300 || response.status >= 400 || !response.headers.has('location')) return response;
      // Rare enough to be asked for once more, by one that knows which redirects may take a key along.
      await response.body?.cancel();
      return follow(input, { ...init, dispatcher: agent });
    },
    openCount: () => Object.values(agent.stats).reduce((sum, { connected }) => sum + Number(connected), 0),
    close: () => agent.destroy(),
  };
}

/** Where an address is, as undici is told. A target has one or two of them, so the last one is kept. */
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
