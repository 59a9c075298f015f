/**
 * Runs `work` for each value, at most `limit` concurrently, and reads the next value only when a slot is free. The first failure
 * ends the iteration; it is thrown after all running work has ended.
 */
export async function forEachConcurrently<T>(
  values: AsyncIterable<T>,
  limit: number,
  work: (value: T) => Promise<void>,
): Promise<void> {
  const running = new Set<Promise<void>>();
  let failure: { error: unknown } | undefined;
  try {
    for await (const value of values) {
      const run: Promise<void> = work(value)
        .catch((error: unknown) => {
          failure ??= { error };
        })
        .finally(() => running.delete(run));
      running.add(run);
      if (running.size >= limit) await Promise.race(running);
      if (failure !== undefined) break;
    }
  } finally {
    await Promise.all(running);
  }
  if (failure !== undefined) throw failure.error;
}
