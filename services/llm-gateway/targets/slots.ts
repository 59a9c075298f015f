import { within } from '#kit/base/within.ts';
import { ProviderError } from '../providers/error.ts';

/** Slots for the attempts in flight at a target. Further attempts wait in the order of their arrival. */
export interface Slots {
  readonly inUse: number;
  readonly waiting: number;
  readonly size: number;
  /** Takes a slot if one is free now, and returns its release, which may be called more than once. */
  tryAcquire(): (() => void) | undefined;
  /** Waits at most `waitMs` for a slot, and returns its release. Throws the signal's reason, or a ProviderError if none becomes free. */
  acquire(signal: AbortSignal, waitMs: number): Promise<() => void>;
}

/** Creates `size` slots with a queue of at most `maxWaiting` attempts. */
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
    async acquire(signal, waitMs) {
      signal.throwIfAborted();
      const release = tryAcquire();
      if (release !== undefined) return release;
      if (queue.size >= maxWaiting) throw busy();
      const turn = Promise.withResolvers<() => void>();
      const onTurn = () => {
        queue.delete(onTurn);
        turn.resolve(hold());
      };
      queue.add(onTurn);
      const bounds = { timeoutMs: waitMs, signals: [signal], toTimeoutError: busy };
      try {
        return await within(() => turn.promise, { ...bounds, onLate: (unused) => unused() });
      } finally {
        queue.delete(onTurn);
      }
    },
  };
}

function busy(): ProviderError {
  const message = 'all slots of the model are in use, and none became free in time: try again';
  return new ProviderError({ remedy: 'retry', kind: 'overloaded', code: 'target_busy', message, retryAfterMs: 1000 });
}
