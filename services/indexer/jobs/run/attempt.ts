import { Code, ConnectError } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { hasReason, toRpcError } from '#kit/base/errors.ts';
import type { Logger } from '#kit/base/log.ts';
import { withSpan } from '#kit/base/span.ts';
import { sleep } from '#kit/base/streams.ts';
import {
  type Checkpoint,
  type JobRecord,
  type JobStore,
  type JobUpdate,
  type Lease,
  LeaseLostError,
  type Outcome,
} from '../job-store.ts';
import {
  CancelledError,
  type HeldVersion,
  type JobResult,
  type JobRun,
  StaleBuildError,
  StoppedError,
} from './job-run.ts';

/** Dependencies of an attempt. */
export interface AttemptDeps {
  jobs: JobStore;
  /** Runs the job. */
  work(run: JobRun): Promise<JobResult | HeldVersion>;
  /** Drops what the job has built. Returns the job's result if it was already published. */
  abandon(job: JobRecord, checkpoint: Checkpoint, signal: AbortSignal): Promise<JobResult | undefined>;
  /** Called when the job changed. */
  changed(jobId: string): void;
  /** Called when the attempt ended. */
  ended(job: JobRecord, outcome: Outcome): Promise<void>;
  /** Asks the job to stop between two batches. */
  stopping: AbortSignal;
  maxAttempts: number;
  leaseMs: number;
  clock: () => number;
  random: () => number;
  log: Logger;
}

/** Interval of writing progress. */
const reportMs = 150;
const abandonTimeoutMs = 60_000;
const backoff = { firstMs: 1000, factor: 4, longestMs: 60_000 };

/** Runs one attempt of a leased job and writes its outcome. Never rejects. */
export async function runAttempt(lease: Lease, abort: AbortController, deps: AttemptDeps): Promise<void> {
  const { job } = lease;
  const log = deps.log.child({ job_id: job.jobId, tenant: job.tenant, corpus: job.corpus });
  const progress = { ...job.progress };
  let checkpoint = job.checkpoint;
  const update = async (change: JobUpdate) => {
    const { isCancelRequested } = await deps.jobs.update(lease, { ...change, progress: { ...progress } });
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
    outcome = 'report' in result ? { kind: 'held', ...result } : { kind: 'succeeded', ...result };
  } catch (thrown) {
    const error = abort.signal.aborted ? abort.signal.reason : thrown;
    outcome = await outcomeOf(error, job, () => checkpoint, update, deps, log);
  }
  over.abort();
  await reporting;
  if (outcome === undefined) return;
  try {
    await update({ outcome });
    log.info({ event: 'job_attempt_ended', outcome: outcome.kind, ...progress }, 'job attempt ended');
    await deps.ended(job, outcome);
  } catch (error) {
    // The lease expires, and the next worker continues from the last recorded state.
    log.warn({ event: 'job_outcome_unsaved', err: error }, 'job outcome not saved');
  }
}

/** Writes progress and renews the lease at an interval. Aborts the attempt if the lease is lost. */
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
      log.warn({ event: 'lease_renewal_retry', err: error }, 'job lease not renewed, retrying');
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
    log.warn({ event: 'lease_lost' }, 'job lease lost to another worker');
    return undefined;
  }
  if (error instanceof StoppedError) return { kind: 'released', dueAtMs: deps.clock() };
  const isCancel = error instanceof CancelledError;
  const message = messageOf(error);
  const isLast = job.attemptCount >= deps.maxAttempts || !isRetryable(error);
  if (!isCancel)
    log.warn(
      { event: 'job_attempt_failed', err: error, attempt: job.attemptCount, is_last: isLast },
      'job attempt failed',
    );
  const dueAtMs = deps.clock() + backoffMs(job.attemptCount, deps.random);
  if (!isCancel && !isLast && !(error instanceof StaleBuildError)) return { kind: 'retry', error: message, dueAtMs };
  try {
    const result = await deps.abandon(job, checkpointOf(), AbortSignal.timeout(abandonTimeoutMs));
    if (result !== undefined) return { kind: 'succeeded', ...result };
    await update({ checkpoint: { isBuilding: false } });
  } catch (failure) {
    if (failure instanceof LeaseLostError) return undefined;
    log.warn({ event: 'build_not_dropped', err: failure }, 'index version not dropped yet');
    // A cancelled job ends only after that. A failed one leaves the version to the next job of the corpus.
    if (isCancel) return { kind: 'released', dueAtMs };
  }
  if (isCancel) return { kind: 'cancelled' };
  return isLast ? { kind: 'failed', error: message } : { kind: 'retry', error: message, dueAtMs };
}

/** Codes after which a retry would fail in the same way. */
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

function isRetryable(error: unknown): boolean {
  return !(error instanceof ConnectError && finalCodes.has(error.code)) && !hasReason(error, ErrorReason.TOO_LARGE);
}

function messageOf(error: unknown): string {
  if (error instanceof StaleBuildError) return error.message;
  return toRpcError(error).message;
}

/** Returns an exponential backoff, half of it random. All attempts together take longer than a restart of a dependency. */
function backoffMs(attempt: number, random: () => number): number {
  const fullMs = Math.min(backoff.longestMs, backoff.firstMs * backoff.factor ** Math.max(0, attempt - 1));
  return Math.round(fullMs * (0.5 + random() / 2));
}
