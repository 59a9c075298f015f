import { ErrorReason, ErrorReasonSchema } from '#gen/ragmesh/common/v1/errors_pb.ts';
import type { EvaluationRun } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { enumName } from '#kit/base/enums.ts';
import { errorInfoOf, toRpcError } from '#kit/base/errors.ts';
import { sleep } from '#kit/base/streams.ts';
import { fatalCodes } from '../runs/ask.ts';
import type { Answer, Checkpoint } from '../runs/checkpoint.ts';
import { contextOf } from '../runs/context.ts';
import { measure, type RunDeps } from '../runs/run.ts';
import type { EvaluationStore } from '../store.ts';
import type { Attempt, AttemptStore } from './attempt-store.ts';
import { limitQuestions } from './question-scores.ts';

/** Time between two looks for jobs of other processes, in milliseconds. */
const pollMs = 5_000;
/** Time after which another process may continue a job whose process has ended, and time between two extensions. */
const leaseMs = { length: 60_000, renew: 5_000 };
/** Time before a job whose attempt failed is tried again, in milliseconds, and attempts of a job. */
const [againMs, maxAttempts] = [30_000, 5];
/** Answers that are stored together, and the longest time before they are, in milliseconds. */
const [answersAtOnce, answersWaitMs] = [50, 2_000];

/** Runs jobs, as one of any number of replicas. */
export interface JobRunner {
  /** Looks for a job now: one was added. */
  wake(): void;
  /** Cancels a job if it runs here. */
  cancel(jobId: string): void;
  /** Stops the jobs that run here; another process, or the next start, continues them. */
  close(): Promise<void>;
}

/** What the runner needs. */
export interface JobRunnerDeps extends RunDeps {
  attempts: AttemptStore;
  store: EvaluationStore;
}

/** Why an attempt ends before its run. */
type Stop = 'cancelled' | 'lost' | 'closing';

interface Running {
  tenant: string;
  stop: AbortController;
  done: Promise<void>;
}

/** Starts to run jobs: at most `maxRunning` at the same time, and one of a tenant. */
export function startJobRunner(deps: JobRunnerDeps): JobRunner {
  const { attempts, clock, log, config } = deps;
  const running = new Map<string, Running>();
  const closing = new AbortController();
  let waking = new AbortController();
  const wake = () => waking.abort();
  const takeAll = async () => {
    while (running.size < config.maxRunning && !closing.signal.aborted) {
      const tenants = [...running.values()].map(({ tenant }) => tenant);
      const now = clock();
      const attempt = await attempts.take(tenants, now, now + leaseMs.length);
      if (attempt === undefined) return;
      const stop = new AbortController();
      const done = runAttempt(deps, attempt, stop)
        .catch((error: unknown) => log.error({ event: 'evaluation_job_lost', err: error }, 'evaluation job not stored'))
        .finally(() => {
          running.delete(attempt.jobId);
          wake();
        });
      running.set(attempt.jobId, { tenant: attempt.principal.tenant, stop, done });
    }
  };
  const repeat = async () => {
    while (!closing.signal.aborted) {
      waking = new AbortController();
      await takeAll().catch((error: unknown) => {
        log.warn({ event: 'evaluation_job_not_taken', err: error }, 'evaluation jobs not read, retrying');
      });
      await sleep(pollMs, AbortSignal.any([waking.signal, closing.signal])).catch(() => {});
    }
  };
  const repeating = repeat();
  return {
    wake,
    cancel: (jobId) => running.get(jobId)?.stop.abort('cancelled' satisfies Stop),
    async close() {
      closing.abort();
      await repeating;
      for (const { stop } of running.values()) stop.abort('closing' satisfies Stop);
      await Promise.all([...running.values()].map(({ done }) => done));
    },
  };
}

/** Makes one attempt at a job, and stores how it ends. */
async function runAttempt(deps: JobRunnerDeps, attempt: Attempt, stop: AbortController): Promise<void> {
  const { attempts, clock, log } = deps;
  const { signal } = stop;
  const ended = new AbortController();
  const renewed = renewLease(deps, attempt, stop, ended.signal);
  const fields = { tenant: attempt.principal.tenant, job_id: attempt.jobId, attempt: attempt.attempt };
  try {
    const run = await runOf(deps, attempt, signal);
    await attempts.end(attempt, { kind: 'succeeded', run }, clock());
    log.info({ event: 'evaluation_job_finished', ...fields, run_id: run.runId }, 'evaluation job finished');
  } catch (error) {
    const reason: Stop | undefined = signal.aborted ? signal.reason : undefined;
    if (reason === 'lost') return;
    if (reason === 'closing') return await attempts.release(attempt, 0);
    if (reason === 'cancelled') return await attempts.end(attempt, { kind: 'cancelled' }, clock());
    const failure = toRpcError(error);
    log.warn({ event: 'evaluation_job_failed', ...fields, err: error }, 'attempt at evaluation job failed');
    if (!fatalCodes.has(failure.code) && attempt.attempt < maxAttempts) {
      return await attempts.release(attempt, clock() + againMs);
    }
    const name = errorInfoOf(failure)?.reason ?? enumName(ErrorReasonSchema, ErrorReason.INTERNAL);
    await attempts.end(attempt, { kind: 'failed', reason: name, message: failure.rawMessage }, clock());
  } finally {
    ended.abort();
    await renewed;
  }
}

async function runOf(deps: JobRunnerDeps, attempt: Attempt, signal: AbortSignal): Promise<EvaluationRun> {
  const { checkpoint, flush } = createCheckpoint(deps, attempt);
  const context = contextOf(attempt.principal, signal);
  try {
    for await (const { event } of measure(deps, deps.store, attempt.request, context, checkpoint)) {
      signal.throwIfAborted();
      if (event.case === 'run') return limitQuestions(event.value);
    }
  } catch (error) {
    // What was asked is not asked again; the error is what the attempt ends with.
    await flush().catch(() => {});
    throw error;
  }
  throw new Error('the run ended without a result');
}

/** Stores answers some at a time: what a killed process loses is asked again. */
function createCheckpoint({ attempts, clock }: JobRunnerDeps, attempt: Attempt) {
  let waiting: Answer[] = [];
  let storedAtMs = clock();
  const flush = async () => {
    const answers = waiting;
    waiting = [];
    storedAtMs = clock();
    if (answers.length > 0) await attempts.addAnswers(attempt, answers);
  };
  const checkpoint: Checkpoint = {
    read: (dataSetVersion, totalCount) => attempts.readAnswers(attempt, dataSetVersion, totalCount),
    async add(answer) {
      waiting.push(answer);
      if (waiting.length >= answersAtOnce || clock() >= storedAtMs + answersWaitMs) await flush();
    },
  };
  return { checkpoint, flush };
}

async function renewLease(
  { attempts, clock, log }: JobRunnerDeps,
  attempt: Attempt,
  stop: AbortController,
  ended: AbortSignal,
): Promise<void> {
  while (!ended.aborted) {
    await sleep(leaseMs.renew, ended).catch(() => {});
    if (ended.aborted) return;
    const state = await attempts.renew(attempt, clock() + leaseMs.length).catch((error: unknown) => {
      log.warn({ event: 'evaluation_lease_not_renewed', err: error }, 'lease of evaluation job not renewed');
      return 'held' as const;
    });
    if (state !== 'held') stop.abort(state satisfies Stop);
  }
}
