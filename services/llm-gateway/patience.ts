import { unavailable } from '#kit/errors.ts';
import type { Patience, ProviderEvent } from './llm-provider.ts';

/** After the end there may be usage to come; no provider needs longer for it, and the caller waits. */
const afterEndMs = 1000;

/**
 * Events of a provider, no later than they are worth waiting for: throws UNAVAILABLE where the first delta or the next one does
 * not come in time, and stops quietly where nothing comes after the end. `stop` ends the provider's work.
 */
export async function* withPatience(
  events: AsyncIterable<ProviderEvent>,
  { firstDeltaMs, idleMs }: Patience,
  stop: AbortController,
): AsyncIterable<ProviderEvent> {
  const iterator = events[Symbol.asyncIterator]();
  let waitMs = firstDeltaMs;
  let what = 'gave no first token';
  let hasEnded = false;
  let deadline = performance.now() + waitMs;
  try {
    for (;;) {
      const next = await inTime(iterator.next(), Math.max(0, deadline - performance.now()));
      if (next === late) {
        if (hasEnded) return;
        throw unavailable('llm provider', `the model ${what} within ${waitMs} ms`);
      }
      if (next.done === true) return;
      yield next.value;
      const { kind } = next.value;
      if (kind === 'end') {
        hasEnded = true;
        waitMs = afterEndMs;
      } else if (kind !== 'started' && kind !== 'usage' && !hasEnded) {
        waitMs = idleMs;
        what = 'fell silent: no further token';
      } else if (!hasEnded && what === 'gave no first token') {
        // Being taken is not being answered: the clock for the first token runs on.
        continue;
      }
      deadline = performance.now() + waitMs;
    }
  } finally {
    stop.abort();
    // Not awaited: a provider that does not answer to its signal must not hold the caller.
    iterator.return?.()?.then(undefined, () => {});
  }
}

const late = Symbol('late');

async function inTime<T>(work: Promise<T>, ms: number): Promise<T | typeof late> {
  let timer: NodeJS.Timeout | undefined;
  // If time runs out, nobody waits for the work any more.
  work.catch(() => {});
  try {
    const timeout = new Promise<typeof late>((resolve) => {
      timer = setTimeout(() => resolve(late), ms);
    });
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
