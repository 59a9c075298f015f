/** Returns every message of a stream, at most `limit`. Throws RangeError if there are more. */
export async function collect<T>(messages: AsyncIterable<T>, limit = 100_000): Promise<T[]> {
  const collected: T[] = [];
  for await (const message of messages) {
    if (collected.length >= limit) throw new RangeError(`more than ${limit} messages`);
    collected.push(message);
  }
  return collected;
}

/** A bounded queue between a producer and one consumer. */
export interface Channel<T> extends AsyncIterable<T> {
  /** Adds a value; waits while the queue is full. Resolves to false once the consumer has left: stop producing. */
  send(value: T): Promise<boolean>;
  /** No more values; the consumer gets what is queued, and then the error if there is one. */
  close(error?: unknown): void;
}

/** Creates a channel that holds at most `capacity` values. */
export function createChannel<T>(capacity: number): Channel<T> {
  const queue: T[] = [];
  let closed = false;
  let failure: unknown;
  let left = false;
  let wakeConsumer = () => {};
  const waiting: (() => void)[] = [];
  return {
    async send(value) {
      while (queue.length >= capacity && !left && !closed) await new Promise<void>((resolve) => waiting.push(resolve));
      if (left || closed) return false;
      queue.push(value);
      wakeConsumer();
      return true;
    },
    close(error) {
      if (closed) return;
      closed = true;
      failure = error;
      wakeConsumer();
      for (const wake of waiting.splice(0)) wake();
    },
    async *[Symbol.asyncIterator]() {
      try {
        for (;;) {
          if (queue.length > 0) {
            const value = queue.shift() as T;
            waiting.shift()?.();
            yield value;
          } else if (closed) {
            if (failure !== undefined) throw failure;
            return;
          } else {
            await new Promise<void>((resolve) => {
              wakeConsumer = resolve;
            });
          }
        }
      } finally {
        left = true;
        for (const wake of waiting.splice(0)) wake();
      }
    },
  };
}

/** Resolves after `ms`, or rejects with the signal's reason if it aborts first. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/**
 * Returns the result of a promise that settles without waiting for input or timers; `undefined` if it does not, or if it fails. Call it in
 * a microtask, as every step of an async function is: nextTick runs when the queue of microtasks is empty.
 */
export function readyNow<T>(promise: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve) => {
    promise.then(resolve, () => resolve(undefined));
    process.nextTick(resolve, undefined);
  });
}
