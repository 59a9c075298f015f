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
