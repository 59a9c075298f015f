import { type CallOptions, createClient } from '@connectrpc/connect';
import { useTransport } from '@connectrpc/connect-query';
import { useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect } from 'react';
import { EvaluationJobService } from '#gen/ragmesh/evaluation/v1/jobs_pb.ts';
import { useWatched } from '../use-watched.ts';
import { isOpen } from './job-state.tsx';

/** Follows a job until it ends. Lists are read again when it has: it is in other states, and its run is among the earlier ones. */
export function useEvaluationJob(jobId: string) {
  const transport = useTransport();
  const queries = useQueryClient();
  const watch = useCallback(
    (options: CallOptions) => createClient(EvaluationJobService, transport).watchJob({ jobId }, options),
    [transport, jobId],
  );
  const watched = useWatched(watch);
  const hasEnded = watched.job !== undefined && !isOpen(watched.job.state);
  useEffect(() => {
    if (hasEnded) void queries.invalidateQueries();
  }, [hasEnded, queries]);
  return watched;
}
