/** A stream that may have messages which are there already, after the one that `next` has returned. */
export interface ReadyMessages<T> {
  takeReady(): readonly T[];
}

const none: readonly never[] = [];

/**
 * Takes the messages that are there already, after the last result of `next`: those that a handler has given together. A stream that
 * cannot say has none. To read them by `next`, one after another, has the same result and costs more.
 */
export function takeReady<T>(stream: AsyncIterator<T> & Partial<ReadyMessages<T>>): readonly T[] {
  return stream.takeReady?.() ?? none;
}

/** Returns the messages of a stream in lists of those that are there together. Leaving the lists leaves the stream. */
export function inLists<T>(stream: AsyncIterable<T>): AsyncIterableIterator<readonly T[], void> {
  const iterator: AsyncIterator<T> & Partial<ReadyMessages<T>> = stream[Symbol.asyncIterator]();
  const onResult = (result: IteratorResult<T>): IteratorResult<readonly T[], void> => {
    if (result.done === true) return { done: true, value: undefined };
    const ready = takeReady(iterator);
    return { done: false, value: ready.length === 0 ? [result.value] : [result.value, ...ready] };
  };
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    next: () => iterator.next().then(onResult),
    async return() {
      await iterator.return?.();
      return { done: true, value: undefined };
    },
  };
}
