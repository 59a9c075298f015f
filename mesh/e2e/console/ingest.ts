import type { CallOptions, Client } from '@connectrpc/connect';
import { type IndexerService, type Job, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';

/** Uploads documents as JSON lines by the rpc, and returns the job after its end. */
export async function ingestLines(
  indexer: Client<typeof IndexerService>,
  corpus: string,
  documents: readonly object[],
  options: CallOptions,
  deleteMissing = false,
): Promise<Job> {
  const lines = documents.map((document) => JSON.stringify(document));
  const { jobId } = await indexer.ingestDocuments(
    (async function* () {
      yield { part: { case: 'start' as const, value: { corpus, deleteMissing } } };
      yield { part: { case: 'file' as const, value: { path: 'all.jsonl' } } };
      yield { part: { case: 'data' as const, value: Buffer.from(lines.join('\n')) } };
    })(),
    options,
  );
  for await (const { job } of indexer.watchJob({ jobId }, { ...options, timeoutMs: 600_000 })) {
    if (job?.state === JobState.SUCCEEDED || job?.state === JobState.HELD) return job;
  }
  throw new Error('the job did not end');
}
