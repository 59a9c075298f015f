import { type CallOptions, createClient } from '@connectrpc/connect';
import { useTransport } from '@connectrpc/connect-query';
import { useCallback } from 'react';
import { IndexerService } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { useWatched } from '../use-watched.ts';

/** Follows a job until it ends. `round` starts again after a change by the user. */
export function useJob(jobId: string, round = 0) {
  const transport = useTransport();
  const watch = useCallback(
    (options: CallOptions) => createClient(IndexerService, transport).watchJob({ jobId }, options),
    [transport, jobId],
  );
  return useWatched(watch, round);
}
