import { JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import type { JobQueue } from '../jobs/job-queue.ts';
import type { Uploads } from './uploads.ts';

/** Time that the files of a failed job are kept for a retry. */
const failedMs = 7 * 24 * 3_600_000;

/**
 * Removes uploads that no job needs and returns their count: those that a kill interrupted, those of ended jobs, and those of jobs
 * that failed a week ago. Call it at the start, before the first upload.
 */
export async function sweepUploads(
  uploads: Uploads,
  queue: JobQueue,
  nowMs: number,
  signal: AbortSignal,
): Promise<number> {
  let sweptCount = 0;
  for (const jobId of (await uploads.list(signal)).keys()) {
    const [job] = await queue.list({ jobId, limit: 1 });
    const isWanted =
      job !== undefined &&
      (job.state === JobState.QUEUED ||
        job.state === JobState.RUNNING ||
        (job.state === JobState.FAILED && job.updatedAtMs > nowMs - failedMs));
    if (isWanted) continue;
    await uploads.remove(jobId);
    sweptCount++;
  }
  return sweptCount;
}
