import { Agent, fetch as undiciFetch } from 'undici';
import type { Clocks } from './config.ts';

/** The way of one target to its provider. */
export interface TargetFetch {
  /** `fetch` over connections of the target's own: bounded in number, kept alive, opened in time or not at all. */
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
  const send = undiciFetch as unknown as (input: unknown, init: unknown) => Promise<Response>;
  return {
    fetch: (input, init) => send(input, { ...init, dispatcher: agent }),
    openCount: () => Object.values(agent.stats).reduce((sum, { connected }) => sum + Number(connected), 0),
    close: () => agent.destroy(),
  };
}
