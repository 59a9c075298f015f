/** Notifications of job changes, inside this process. */
export interface JobChanges {
  /** Resolves the waiting promises of a job. */
  announce(jobId: string): void;
  /** Returns a promise of the next change of a job. Call `forget` when the promise is no longer needed. */
  next(jobId: string): { promise: Promise<void>; forget(): void };
}

/** Creates the notifications. */
export function createJobChanges(): JobChanges {
  const waiting = new Map<string, Set<() => void>>();
  return {
    announce(jobId) {
      const wakes = waiting.get(jobId);
      waiting.delete(jobId);
      for (const wake of wakes ?? []) wake();
    },
    next(jobId) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const wakes = waiting.get(jobId) ?? new Set();
      wakes.add(resolve);
      waiting.set(jobId, wakes);
      return {
        promise,
        forget() {
          wakes.delete(resolve);
          if (wakes.size === 0 && waiting.get(jobId) === wakes) waiting.delete(jobId);
        },
      };
    },
  };
}
