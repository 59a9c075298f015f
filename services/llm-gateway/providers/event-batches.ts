import type { ProviderEvent } from './llm-provider.ts';

/** Iterates over events, of which several may have arrived together. */
export interface ReadyIterator extends AsyncIterator<ProviderEvent> {
  /** Returns the next event if it has already arrived; `undefined`: await `next`. */
  ready?(): ProviderEvent | undefined;
}

/**
 * Returns the single events of batches. A batch has the events of one chunk of the response. A generator of single events would need
 * several promises for each event; here they are needed once for each batch.
 */
export function inBatches(
  batches: AsyncIterator<readonly ProviderEvent[], void>,
): AsyncIterableIterator<ProviderEvent> & ReadyIterator {
  let batch: readonly ProviderEvent[] = [];
  let at = 0;
  const take = (): ProviderEvent | undefined => (at < batch.length ? batch[at++] : undefined);
  const onBatch = (result: IteratorResult<readonly ProviderEvent[], void>): IteratorResult<ProviderEvent> | Next => {
    if (result.done === true) return over;
    batch = result.value;
    at = 0;
    const value = take();
    return value === undefined ? next() : { done: false, value };
  };
  const next = (): Next => {
    const value = take();
    return value === undefined ? batches.next().then(onBatch) : Promise.resolve({ done: false, value });
  };
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    ready: take,
    next,
    async return() {
      batch = [];
      await batches.return?.();
      return over;
    },
  };
}

type Next = Promise<IteratorResult<ProviderEvent>>;
const over = { done: true as const, value: undefined };
