import type { ProviderEvent } from './llm-provider.ts';

/** Iterates over events of which several may be there at once. */
export interface ReadyIterator extends AsyncIterator<ProviderEvent> {
  /** The next event where it is there already; else `next` has to be waited for. */
  ready?(): ProviderEvent | undefined;
}

/**
 * Events that come in batches, mostly what one piece of a reply holds, one after another. A generator of single events would take
 * some promises for each of them; here a batch takes them once.
 */
export function inBatches(
  batches: AsyncGenerator<readonly ProviderEvent[], void>,
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
      await batches.return();
      return over;
    },
  };
}

type Next = Promise<IteratorResult<ProviderEvent>>;
const over = { done: true as const, value: undefined };
