import { deadlineExceeded } from '../base/errors.ts';
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
    const own = init?.signal ?? (input instanceof Request ? input.signal : undefined);
    const { signal, release } = probeSignal(call.probeMs, own);
    try {
      const reply = await fetch(input, signal === own ? init : { ...init, signal: signal ?? null });
      if (reply.status >= 500 && reply.status !== notImplemented) call.failed();
      else call.heard();
      return reply;
    } catch (error) {
      if (signal?.aborted) call.ended(isDeadline(signal.reason));
      else call.failed();
      throw error;
    } finally {
      release();
    }
  };
}

// A probe waits for the status of its reply, and no longer.
function probeSignal(probeMs: number | undefined, own: AbortSignal | undefined) {
  if (probeMs === undefined) return { signal: own, release() {} };
  const probe = new AbortController();
  const timer = setTimeout(() => probe.abort(deadlineExceeded(`no reply within ${probeMs} ms`)), probeMs);
  const signal = own === undefined ? probe.signal : AbortSignal.any([own, probe.signal]);
  return { signal, release: () => clearTimeout(timer) };
}

/** The server does not know the request, and is well. */
const notImplemented = 501;
