const isOver = new DOMException('the consumer has left', 'AbortError');

/**
 * Returns the results of `work` over the inputs in their order, with at most `width` pieces of work begun and not yet returned. Begins no
 * more work when the consumer leaves or a piece fails, and aborts what runs.
 */
export async function* mapInOrder<In, Out>(
  inputs: readonly In[],
  width: number,
  signal: AbortSignal,
  work: (input: In, signal: AbortSignal) => Promise<Out>,
): AsyncIterable<Out> {
  const stop = new AbortController();
  const ends = AbortSignal.any([signal, stop.signal]);
  const pending: Promise<Out>[] = [];
  let next = 0;
  const begin = () => {
    const promise = work(inputs[next++] as In, ends);
    // It is awaited below in its turn; until then a failure is not an unhandled one.
    promise.catch(() => {});
    pending.push(promise);
  };
  try {
    while (next < inputs.length || pending.length > 0) {
      signal.throwIfAborted();
      while (pending.length < width && next < inputs.length) begin();
      yield await (pending.shift() as Promise<Out>);
    }
  } finally {
    // A reason of its own costs an error with its stack, each time.
    stop.abort(isOver);
  }
}
