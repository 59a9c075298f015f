import { JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import type { JobQueue } from '../jobs/job-queue.ts';
import type { Uploads } from './uploads.ts';

/** How long the files of a job that was given up wait for somebody to try it again. */
const failedMs = 7 * 24 * 3_600_000;

/**
 * Removes uploads that no job needs: those that were cut off by a kill, those of jobs that are over, and those of jobs that were
 * given up a week ago. Run at the start, before uploads are taken.
 */
export async function sweepUploads(uploads: Uploads, queue: JobQueue, nowMs: number): Promise<number> {
  let sweptCount = 0;
  for (const jobId of await uploads.list()) {
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
