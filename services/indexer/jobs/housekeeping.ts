import { JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import type { Logger } from '#kit/base/log.ts';
import { sleep } from '#kit/base/streams.ts';
import type { Originals } from '../documents/originals/originals.ts';
import type { Uploads } from '../uploads/uploads.ts';
import type { JobStore } from './job-store.ts';

/** Dependencies of housekeeping. */
export interface HousekeepingDeps {
  uploads: Uploads;
  originals: Pick<Originals, 'sweep'>;
  jobs: JobStore;
  /** Whether other replicas use the same records. */
  isShared: boolean;
  completeDeletions(minAgeMs: number, signal: AbortSignal): Promise<void>;
  countBacklog(): Promise<void>;
  clock: () => number;
  log: Logger;
}

const intervalMs = { backlog: 10_000, deletions: 60_000, uploads: 3_600_000 };
/** Time after which a deletion is not running any more: longer than its call may take. */
const deletionMs = 120_000;
/** Time that the files of a failed job are kept for a retry. */
const failedMs = 7 * 24 * 3_600_000;
/** Time after which bytes without a job were left by a killed process: longer than an upload may take. */
const uploadMs = 24 * 3_600_000;

/**
 * Starts to remove what no one needs and to complete what was interrupted: at the start, and then at intervals. It is harmless that every
 * replica does it. A replica that is alone need not wait for others: nothing but itself is running.
 */
export async function startHousekeeping(deps: HousekeepingDeps): Promise<{ close(): Promise<void> }> {
  const { isShared, log } = deps;
  const closing = new AbortController();
  const { signal } = closing;
  const repeat = async (ms: number, work: () => Promise<void>) => {
    while (!signal.aborted) {
      await sleep(ms, signal).catch(() => {});
      if (signal.aborted) return;
      await work().catch((error: unknown) => {
        if (!signal.aborted) log.warn({ event: 'housekeeping_retry', err: error }, 'housekeeping incomplete, retrying');
      });
    }
  };
  const sweep = async (graceMs: number) => {
    const sweptCount = await sweepUploads(deps, graceMs, signal);
    // A job may be about to name one that it has written.
    const originalCount = await deps.originals.sweep(uploadMs, deps.clock(), signal);
    if (originalCount > 0)
      log.info({ event: 'originals_swept', swept_count: originalCount }, 'originals of no document removed');
    if (sweptCount > 0) log.info({ event: 'uploads_swept', swept_count: sweptCount }, 'uploads without a job removed');
  };
  if (!isShared) await sweep(0);
  const running = [
    deps.countBacklog(),
    deps.completeDeletions(isShared ? deletionMs : 0, signal),
    ...(isShared ? [sweep(uploadMs).catch(() => {})] : []),
    repeat(intervalMs.backlog, deps.countBacklog),
    repeat(intervalMs.deletions, () => deps.completeDeletions(deletionMs, signal)),
    repeat(intervalMs.uploads, () => sweep(uploadMs)),
  ];
  return {
    async close() {
      closing.abort();
      await Promise.all(running);
    },
  };
}

/**
 * Removes uploads that no job needs and returns their count: those of ended jobs, of jobs that failed a week ago, and bytes without a job
 * that were written more than `graceMs` ago, which a kill has left.
 */
async function sweepUploads(
  { uploads, jobs, clock }: HousekeepingDeps,
  graceMs: number,
  signal: AbortSignal,
): Promise<number> {
  let sweptCount = 0;
  for (const [jobId, writtenAtMs] of await uploads.list(signal)) {
    const [job] = await jobs.list({ jobId, limit: 1 });
    const isWanted =
      job === undefined
        ? graceMs > 0 && writtenAtMs > clock() - graceMs
        : job.state === JobState.QUEUED ||
          job.state === JobState.RUNNING ||
          job.state === JobState.HELD ||
          (job.state === JobState.FAILED && job.updatedAtMs > clock() - failedMs);
    if (isWanted) continue;
    await uploads.remove(jobId);
    sweptCount++;
  }
  return sweptCount;
}
