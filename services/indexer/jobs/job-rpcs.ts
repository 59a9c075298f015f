import { type IndexerService, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { notFound } from '#kit/base/errors.ts';
import { sleep } from '#kit/base/streams.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import { fromPageToken, toFailure, toJob, toNote, toPageToken } from '../convert.ts';
import type { FailureStore } from './failure-store.ts';
import type { JobChanges } from './job-changes.ts';
import type { JobRecord, JobStore } from './job-store.ts';
import type { JobWorker } from './job-worker.ts';
import type { NoteStore } from './note-store.ts';
import { mayFollow } from './rights.ts';

/** Dependencies of the job rpcs. */
export interface JobRpcDeps {
  jobs: JobStore;
  failures: FailureStore;
  notes: NoteStore;
  worker: JobWorker;
  changes: JobChanges;
  /** Called when a job was cancelled before it ran. */
  dropped(job: JobRecord): Promise<void>;
  /** Called when a job is queued again. */
  requeued(): Promise<void>;
}

/** Interval of reading a job: a job in another process sends no notification here. */
const pollMs = 1000;
/** Time that a cancel waits for a running job to stop before it returns. */
const cancelWaitMs = 8000;
const openStates: readonly JobState[] = [JobState.QUEUED, JobState.RUNNING];

type Rpcs = Pick<
  ServiceHandlers<typeof IndexerService>,
  'getJob' | 'listJobs' | 'watchJob' | 'cancelJob' | 'retryJob' | 'listFailures' | 'listNotes'
>;

/** Jobs that are read in one query at least, and for one page at most: those that do not exist for the caller make a page short or empty. */
const batchMin = 50;
const readMax = 2000;

/** Creates the job rpcs. They see only the jobs that exist for the caller. */
export function createJobRpcs({ jobs, failures, notes, worker, changes, dropped, requeued }: JobRpcDeps): Rpcs {
  const find = async (jobId: string, context: CallContext): Promise<JobRecord> => {
    const [job] = await jobs.list({ tenant: context.principal.tenant, jobId, limit: 1 });
    if (job === undefined || !mayFollow(context.principal, job)) throw notFound('job', jobId);
    return job;
  };
  /** Returns jobs that exist for the caller, and before which one the next page begins; `undefined` behind the last page. */
  const listVisible = async (
    { principal }: CallContext,
    corpus: string,
    beforeSequence: number | undefined,
    limit: number,
  ): Promise<{ visible: JobRecord[]; nextBefore: number | undefined }> => {
    const visible: JobRecord[] = [];
    let before = beforeSequence;
    // One more than is shown, so that one query says whether there is a page behind this one.
    const batchSize = Math.max(limit + 1, batchMin);
    for (let read = 0; read < readMax; read += batchSize) {
      const found = await jobs.list({
        tenant: principal.tenant,
        ...(corpus !== '' && { corpus }),
        ...(before !== undefined && { beforeSequence: before }),
        limit: batchSize,
      });
      for (const job of found) {
        if (!mayFollow(principal, job)) continue;
        if (visible.length === limit) return { visible, nextBefore: visible.at(-1)?.sequence };
        visible.push(job);
      }
      if (found.length < batchSize) return { visible, nextBefore: undefined };
      before = found.at(-1)?.sequence;
    }
    return { visible, nextBefore: before };
  };
  /** Yields the job after each change, until it is over or the signal aborts. */
  const follow = async function* (jobId: string, context: CallContext, signal: AbortSignal): AsyncIterable<JobRecord> {
    let last = '';
    for (;;) {
      const changed = changes.next(jobId);
      const job = await find(jobId, context);
      const shown = JSON.stringify([job.state, job.phase, job.progress, job.attemptCount, job.error]);
      if (shown !== last) yield job;
      last = shown;
      if (!openStates.includes(job.state)) return;
      await Promise.race([changed.promise, sleep(pollMs, signal)]).finally(changed.forget);
    }
  };
  return {
    getJob: async ({ jobId }, context) => ({ job: toJob(await find(jobId, context), context.principal) }),

    async listJobs({ pageSize, pageToken, corpus }, context) {
      const beforeSequence = pageToken === '' ? undefined : fromPageToken(pageToken, 'number')[0];
      const { visible, nextBefore } = await listVisible(context, corpus, beforeSequence, pageSize || 50);
      return {
        jobs: visible.map((job) => toJob(job, context.principal)),
        nextPageToken: nextBefore === undefined ? '' : toPageToken([nextBefore]),
      };
    },

    async *watchJob({ jobId }, context) {
      for await (const job of follow(jobId, context, context.signal)) yield { job: toJob(job, context.principal) };
    },

    async cancelJob({ jobId }, context) {
      const before = await find(jobId, context);
      const asked = await jobs.request(context.principal.tenant, jobId, { kind: 'cancel' });
      if (asked.state === JobState.CANCELLED && before.state !== JobState.CANCELLED) await dropped(asked);
      worker.cancel(jobId);
      worker.wake();
      changes.announce(jobId);
      let job = asked;
      const waiting = AbortSignal.any([context.signal, AbortSignal.timeout(cancelWaitMs)]);
      try {
        for await (const next of follow(jobId, context, waiting)) job = next;
      } catch (error) {
        // The job can take longer to stop than this call waits: the reply shows its current state.
        if (!waiting.aborted || context.signal.aborted) throw error;
      }
      return { job: toJob(job, context.principal) };
    },

    async retryJob({ jobId }, context) {
      await find(jobId, context);
      const job = await jobs.request(context.principal.tenant, jobId, { kind: 'retry' });
      await requeued();
      worker.wake();
      changes.announce(jobId);
      return { job: toJob(job, context.principal) };
    },

    async listFailures({ jobId, pageSize, pageToken }, context) {
      await find(jobId, context);
      const limit = pageSize || 50;
      const [fileIndex, path, line] =
        pageToken === '' ? [-1, '', -1] : fromPageToken(pageToken, 'number', 'string', 'number');
      const found = await failures.list(jobId, { fileIndex, path, line }, limit + 1);
      const page = found.slice(0, limit);
      const last = page.at(-1);
      const hasMore = found.length > limit && last !== undefined;
      return {
        failures: page.map(toFailure),
        nextPageToken: hasMore ? toPageToken([last.file_index, last.path, last.line]) : '',
      };
    },

    async listNotes({ jobId, pageSize, pageToken }, context) {
      await find(jobId, context);
      const limit = pageSize || 50;
      const isFirst = pageToken === '';
      const [fileIndex, path, line, kind] = isFirst
        ? [-1, '', -1, -1]
        : fromPageToken(pageToken, 'number', 'string', 'number', 'number');
      const found = await notes.list(jobId, { fileIndex, path, line, kind }, limit + 1);
      const page = found.slice(0, limit);
      const last = page.at(-1);
      const hasMore = found.length > limit && last !== undefined;
      const totals = isFirst ? await notes.totals(jobId) : [];
      return {
        notes: page.map(toNote),
        nextPageToken: hasMore ? toPageToken([last.file_index, last.path, last.line, last.kind]) : '',
        totals: totals.map((total) => ({
          kind: total.kind,
          count: BigInt(total.count),
          fileCount: BigInt(total.fileCount),
        })),
      };
    },
  };
}
