import { createClient } from '@connectrpc/connect';
import { useTransport } from '@connectrpc/connect-query';
import { useEffect, useState } from 'react';
import { IndexerService, type Job } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';

/** Longest time that one stream is followed, in milliseconds. */
const watchMs = 600_000;
/** Time before a broken stream is opened again, in milliseconds. */
const againMs = 2000;

/** Follows a job until it ends. `round` starts again after a change by the user. */
export function useJob(jobId: string, round = 0): { job: Job | undefined; error: Error | null } {
  const transport = useTransport();
  const [job, setJob] = useState<Job>();
  const [error, setError] = useState<Error | null>(null);
  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    const client = createClient(IndexerService, transport);
    const follow = async () => {
      for (let failures = 0; !signal.aborted && failures < 5; ) {
        try {
          for await (const { job: next } of client.watchJob({ jobId }, { signal, timeoutMs: watchMs })) {
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
  }, [transport, jobId, round]);
  return { job, error };
}
