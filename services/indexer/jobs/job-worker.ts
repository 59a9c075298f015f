import { startExpressLane } from './express-lane.ts';
import type { Accepted, JobQueue } from './job-queue.ts';
import type { JobStore, Lease } from './job-store.ts';
import { type AttemptDeps, runAttempt } from './run/attempt.ts';
import { CancelledError, StoppedError } from './run/job-run.ts';

/** Runs the jobs that its queue offers until it is stopped. */
export interface JobWorker {
  /** Looks for jobs immediately. */
  wake(): void;
  /** Stops a job of this worker immediately; ignores other jobs. */
  cancel(jobId: string): void;
  /** Takes no more jobs, stops running jobs between two batches, and returns them to the queue. */
  drain(signal: AbortSignal): Promise<void>;
  /** Stops immediately; running jobs are returned to the queue if that is still possible. */
  close(): Promise<void>;
}

/** Holder of the leases of a worker. */
export interface Owner {
  /** Unique among running workers. */
  name: string;
  /** Reports whether another owner is known to have ended, so that its leases need not expire first. */
  isGone(owner: string): boolean;
}

/** Dependencies of a worker. */
export interface JobWorkerDeps extends Omit<AttemptDeps, 'stopping'> {
  jobs: JobStore;
  queue: JobQueue;
  owner: Owner;
  /** Jobs that run concurrently; an urgent one may run beside them. */
  maxRunningJobs: number;
}

/** Starts a worker: the queue offers jobs, the worker leases and runs them. */
export function startJobWorker(deps: JobWorkerDeps): JobWorker {
  const { jobs, queue, owner, leaseMs, maxRunningJobs } = deps;
  const stopping = new AbortController();
  const running = new Map<string, { abort: AbortController; done: Promise<void> }>();
  const taker = { owner: owner.name, leaseMs, isGone: owner.isGone };

  const start = (lease: Lease) => {
    const abort = new AbortController();
    const { jobId } = lease.job;
    const done = runAttempt(lease, abort, { ...deps, stopping: stopping.signal }).finally(() => {
      running.delete(jobId);
      queue.wake();
    });
    running.set(jobId, { abort, done });
    return { done };
  };
  const takeNow = (jobId?: string, onlyUrgent = false) =>
    jobs.take({ ...taker, busy: [...running.keys()], onlyUrgent }, jobId);
  const offerNow = async (jobId?: string): Promise<Accepted> => {
    if (stopping.signal.aborted) return 'none';
    const lease = await takeNow(jobId);
    if (lease !== undefined) return start(lease);
    if (jobId === undefined) return 'none';
    const [found] = await jobs.list({ jobId, limit: 1 });
    return found === undefined ? 'unknown' : 'none';
  };
  // One after another: a job that was leased but not yet started would look like one that this worker has lost.
  let lastOffer: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(take: () => Promise<T>): Promise<T> => {
    const answer = lastOffer.then(take);
    lastOffer = answer.catch(() => {});
    return answer;
  };
  const offer = (jobId?: string) => inTurn(() => offerNow(jobId));
  const express = startExpressLane({
    isFull: () => running.size >= maxRunningJobs,
    take: () =>
      inTurn(async () => {
        if (stopping.signal.aborted) return undefined;
        const lease = await takeNow(undefined, true);
        return lease && start(lease);
      }),
    stopping: stopping.signal,
    log: deps.log,
  });
  const wake = () => {
    queue.wake();
    express.wake();
  };
  const ended = async () => {
    await queue.stop();
    await express.stopped();
    await Promise.all([...running.values()].map(({ done }) => done));
  };
  const abortAll = () => {
    for (const { abort } of running.values()) abort.abort(new StoppedError('the indexer is stopping'));
  };
  queue.start({ maxRunningJobs, offer });

  return {
    wake,
    cancel: (jobId) => running.get(jobId)?.abort.abort(new CancelledError('the job was cancelled')),
    async drain(signal) {
      stopping.abort();
      signal.addEventListener('abort', abortAll, { once: true });
      if (signal.aborted) abortAll();
      await ended();
      signal.removeEventListener('abort', abortAll);
    },
    async close() {
      stopping.abort();
      abortAll();
      await ended();
    },
  };
}
