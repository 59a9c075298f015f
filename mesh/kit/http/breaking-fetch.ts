import { isDeadline } from '../breaker/breaker.ts';
import type { Breakers } from '../breaker/breakers.ts';

/**
 * Returns `fetch` with a breaker for each origin. The first sign of a reply counts: a refused connection and a status of 5xx are failures,
 * every other status is a reply. Rejects with UNAVAILABLE while a circuit is open.
 */
export function createBreakingFetch(fetch: typeof globalThis.fetch, breakers: Breakers): typeof globalThis.fetch {
  return async (input, init) => {
    const { origin } = new URL(input instanceof Request ? input.url : input);
    const call = breakers(origin).watch();
    try {
      const reply = await fetch(input, init);
      if (reply.status >= 500 && reply.status !== notImplemented) call.failed();
      else call.heard();
      return reply;
    } catch (error) {
      const signal = init?.signal ?? (input instanceof Request ? input.signal : undefined);
      if (signal?.aborted) call.ended(isDeadline(signal.reason));
      else call.failed();
      throw error;
    }
  };
}

/** The server does not know the request, and is well. */
const notImplemented = 501;
