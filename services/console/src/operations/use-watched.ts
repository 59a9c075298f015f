import type { CallOptions } from '@connectrpc/connect';
import { useEffect, useState } from 'react';

/** Longest time that one stream is followed, in milliseconds. */
const watchMs = 600_000;
/** Time before a broken stream is opened again, in milliseconds. */
const againMs = 2000;

/**
 * Follows a job until it ends. `watch` opens its stream and stays the same for the same job; `round` starts again after a change by
 * the user.
 */
export function useWatched<Job>(
  watch: (options: CallOptions) => AsyncIterable<{ job?: Job | undefined }>,
  round = 0,
): { job: Job | undefined; error: Error | null } {
  const [job, setJob] = useState<Job>();
  const [error, setError] = useState<Error | null>(null);
  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    const follow = async () => {
      for (let failures = 0; !signal.aborted && failures < 5; ) {
        try {
          for await (const { job: next } of watch({ signal, timeoutMs: watchMs })) {
            failures = 0;
            setError(null);
            setJob(next);
          }
          return;
        } catch (thrown) {
          if (signal.aborted) return;
          failures++;
          setError(thrown as Error);
          await new Promise((resolve) => setTimeout(resolve, againMs));
        }
      }
    };
    void follow();
    return () => controller.abort();
  }, [watch, round]);
  return { job, error };
}
