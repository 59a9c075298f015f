import { ProviderError } from '../providers/error.ts';

/** Requests that may be under way at a target at once; more wait their turn, first come, first served. */
export interface Slots {
  readonly inUse: number;
  readonly waiting: number;
  readonly size: number;
  /** A slot, where one is free now; call what it returns to free it, once or more often. */
  tryAcquire(): (() => void) | undefined;
  /** A slot, after a wait of at most `waitMs`. Throws the signal's reason, or a ProviderError where none came free. */
  take(signal: AbortSignal, waitMs: number): Promise<() => void>;
}

/** Creates `size` slots with a queue of at most `maxWaiting`. */
export function createSlots(size: number, maxWaiting: number): Slots {
  let inUse = 0;
  const queue = new Set<() => void>();

  const hold = () => {
    inUse += 1;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      inUse -= 1;
      const [first] = queue;
      first?.();
    };
  };
  const tryAcquire = () => (inUse < size && queue.size === 0 ? hold() : undefined);

  return {
    get inUse() {
      return inUse;
    },
    get waiting() {
      return queue.size;
    },
    size,
    tryAcquire,
    take(signal, waitMs) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        const free = tryAcquire();
        if (free !== undefined) return resolve(free);
        if (queue.size >= maxWaiting) return reject(busy());
        const leave = () => {
          queue.delete(onTurn);
          clearTimeout(timer);
          signal.removeEventListener('abort', onAbort);
        };
        const onTurn = () => {
          leave();
          resolve(hold());
        };
        const onAbort = () => {
          leave();
          reject(signal.reason);
        };
        const timer = setTimeout(() => {
          leave();
          reject(busy());
        }, waitMs);
        signal.addEventListener('abort', onAbort, { once: true });
        queue.add(onTurn);
      });
    },
  };
}

function busy(): ProviderError {
  const message = 'the model has as many requests under way as it may, and none ended in time';
  return new ProviderError({ remedy: 'retry', kind: 'overloaded', code: 'target_busy', message, retryAfterMs: 1000 });
}
