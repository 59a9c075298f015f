import { Code, ConnectError } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { hasReason, toRpcError } from '#kit/base/errors.ts';
import type { Logger } from '#kit/base/log.ts';
import { withSpan } from '#kit/base/span.ts';
import { sleep } from '#kit/base/streams.ts';
import {
  type Checkpoint,
  type JobQueue,
  type JobRecord,
  type JobUpdate,
  type Lease,
  LeaseLostError,
  type Outcome,
} from '../job-queue.ts';
import { CancelledError, type JobResult, type JobRun, StaleBuildError, StoppedError } from './job-run.ts';

/** What an attempt needs. */
export interface AttemptDeps {
  queue: JobQueue;
  /** Does the job. */
  work(run: JobRun): Promise<JobResult>;
  /** Takes back what the job has built. Gives its result where that can't be taken back any more. */
  abandon(job: JobRecord, checkpoint: Checkpoint, signal: AbortSignal): Promise<JobResult | undefined>;
  /** The job changed. */
  changed(jobId: string): void;
  /** The job is over. */
  ended(job: JobRecord, outcome: Outcome): Promise<void>;
  /** Asks the job to end where it can go on later. */
  stopping: AbortSignal;
  maxAttempts: number;
  leaseMs: number;
  clock: () => number;
  random: () => number;
  log: Logger;
}

/** How often progress is written down. */
const reportMs = 150;
const abandonTimeoutMs = 60_000;
const backOff = { firstMs: 1000, factor: 4, longestMs: 60_000 };

/** Runs one attempt of a leased job to its end, and writes down how it ended. Never rejects. */
export async function runAttempt(lease: Lease, abort: AbortController, deps: AttemptDeps): Promise<void> {
  const { job } = lease;
  const log = deps.log.child({ job_id: job.jobId, tenant: job.tenant, corpus: job.corpus });
  const progress = { ...job.progress };
  let checkpoint = job.checkpoint;
  const update = async (change: JobUpdate) => {
    const { isCancelRequested } = await deps.queue.update(lease, { ...change, progress: { ...progress } });
    if (change.checkpoint !== undefined) checkpoint = change.checkpoint;
    deps.changed(job.jobId);
    if (isCancelRequested) abort.abort(new CancelledError('the job was cancelled'));
  };
  const run: JobRun = {
    job,
    progress,
    get checkpoint() {
      return checkpoint;
    },
    signal: abort.signal,
    stopping: deps.stopping,
    save: (change) => {
      abort.signal.throwIfAborted();
      return update(change);
    },
  };

  const over = new AbortController();
  const reporting = report(lease, abort, over.signal, () => update({}), deps, log);
  let outcome: Outcome | undefined;
  try {
    if (job.isCancelRequested) throw new CancelledError('the job was cancelled');
    const result = await withSpan('indexer.job', { 'ragmesh.corpus': job.corpus }, () => deps.work(run));
    outcome = { kind: 'succeeded', ...result };
  } catch (thrown) {
    const error = abort.signal.aborted ? abort.signal.reason : thrown;
    outcome = await outcomeOf(error, job, () => checkpoint, update, deps, log);
  }
  over.abort();
  await reporting;
  if (outcome === undefined) return;
  try {
    await update({ outcome });
    log.info({ outcome: outcome.kind, ...progress }, 'job attempt ended');
    await deps.ended(job, outcome);
  } catch (error) {
    // The lease runs out, and whoever takes the job next finds it as it is.
    log.warn({ err: error }, 'the end of a job attempt could not be written down');
  }
}

/** Writes progress down now and then, and keeps the lease; ends the attempt where the lease is lost. */
async function report(
  lease: Lease,
  abort: AbortController,
  over: AbortSignal,
  update: () => Promise<void>,
  deps: AttemptDeps,
  log: Logger,
): Promise<void> {
  let renewedAt = deps.clock();
  for (;;) {
    await sleep(reportMs, over).catch(() => {});
    if (over.aborted) return;
    try {
      await update();
      renewedAt = deps.clock();
    } catch (error) {
      if (error instanceof LeaseLostError) return abort.abort(error);
      log.warn({ err: error }, 'the lease of a job could not be renewed; trying again');
      if (deps.clock() - renewedAt > lease.leaseMs) return abort.abort(new LeaseLostError(lease.job.jobId));
    }
  }
}

async function outcomeOf(
  error: unknown,
  job: JobRecord,
  checkpointOf: () => Checkpoint,
  update: (change: JobUpdate) => Promise<void>,
  deps: AttemptDeps,
  log: Logger,
): Promise<Outcome | undefined> {
  if (error instanceof LeaseLostError) {
    log.warn('the lease of a job was lost: another worker has it');
    return undefined;
  }
  if (error instanceof StoppedError) return { kind: 'released', dueAtMs: deps.clock() };
  const isCancel = error instanceof CancelledError;
  const message = messageOf(error);
  const isLast = job.attemptCount >= deps.maxAttempts || !mayHelp(error);
  if (!isCancel) log.warn({ err: error, attempt: job.attemptCount, is_last: isLast }, 'job attempt failed');
  const dueAtMs = deps.clock() + waitMs(job.attemptCount, deps.random);
  if (!isCancel && !isLast && !(error instanceof StaleBuildError)) return { kind: 'retry', error: message, dueAtMs };
  try {
    const result = await deps.abandon(job, checkpointOf(), AbortSignal.timeout(abandonTimeoutMs));
    if (result !== undefined) return { kind: 'succeeded', ...result };
    await update({ checkpoint: { isBuilding: false } });
  } catch (failure) {
    if (failure instanceof LeaseLostError) return undefined;
    log.warn({ err: failure }, 'what a job had built could not be taken back yet');
    // A cancelled job is not over before that; a failed one leaves it to the next job of the corpus.
    if (isCancel) return { kind: 'released', dueAtMs };
  }
  if (isCancel) return { kind: 'cancelled' };
  return isLast ? { kind: 'failed', error: message } : { kind: 'retry', error: message, dueAtMs };
}

/** Codes that say: the same again will end the same. */
const finalCodes = new Set([
  Code.InvalidArgument,
  Code.NotFound,
  Code.AlreadyExists,
  Code.PermissionDenied,
  Code.FailedPrecondition,
  Code.OutOfRange,
  Code.Unimplemented,
  Code.Unauthenticated,
]);

function mayHelp(error: unknown): boolean {
  return !(error instanceof ConnectError && finalCodes.has(error.code)) && !hasReason(error, ErrorReason.TOO_LARGE);
}

function messageOf(error: unknown): string {
  if (error instanceof StaleBuildError) return error.message;
  return toRpcError(error).message;
}

/** Exponential, half of it by chance: the attempts together outlast the restart of a neighbour. */
function waitMs(attempt: number, random: () => number): number {
  const fullMs = Math.min(backOff.longestMs, backOff.firstMs * backOff.factor ** Math.max(0, attempt - 1));
  return Math.round(fullMs * (0.5 + random() / 2));
}
