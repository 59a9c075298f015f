import type { Logger } from '#kit/base/log.ts';
import { sleep } from '#kit/base/streams.ts';
import type { JobQueue, Lease } from './job-queue.ts';
import { type AttemptDeps, runAttempt } from './run/attempt.ts';
import { CancelledError, StoppedError } from './run/job-run.ts';

/** Takes jobs from the queue and runs them until it is stopped. */
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
  queue: JobQueue;
  owner: Owner;
  /** Jobs that run concurrently. */
  maxRunningJobs: number;
  leaseMs: number;
  log: Logger;
}

/** Interval of polling the queue, for jobs of other processes and for retries that become due. */
const pollMs = 500;

/** Starts a worker. */
export function startJobWorker(deps: JobWorkerDeps): JobWorker {
  const { queue, owner, leaseMs, log } = deps;
  const stopping = new AbortController();
  const running = new Map<string, { abort: AbortController; done: Promise<void> }>();
  const taker = { owner: owner.name, leaseMs, isGone: owner.isGone };
  let wakeUp = () => {};
  let isWoken = false;

  const wake = () => {
    isWoken = true;
    wakeUp();
  };
  const pause = async () => {
    if (!isWoken && !stopping.signal.aborted) {
      const woken = new AbortController();
      wakeUp = () => woken.abort();
      await sleep(pollMs, AbortSignal.any([woken.signal, stopping.signal])).catch(() => {});
    }
    isWoken = false;
  };
  const start = (lease: Lease) => {
    const abort = new AbortController();
    const { jobId } = lease.job;
    const done = runAttempt(lease, abort, { ...deps, stopping: stopping.signal }).finally(() => {
      running.delete(jobId);
      wake();
    });
    running.set(jobId, { abort, done });
  };
  const loop = async () => {
    while (!stopping.signal.aborted) {
      try {
        while (running.size < deps.maxRunningJobs && !stopping.signal.aborted) {
          const lease = await queue.take({ ...taker, busy: [...running.keys()] });
          if (lease === undefined) break;
          start(lease);
        }
      } catch (error) {
        if (!stopping.signal.aborted)
          log.error({ event: 'job_queue_retry', err: error }, 'job queue unreadable, retrying');
      }
      await pause();
    }
  };
  const looping = loop();
  const ended = async () => {
    await looping;
    await Promise.all([...running.values()].map(({ done }) => done));
  };
  const abortAll = () => {
    for (const { abort } of running.values()) abort.abort(new StoppedError('the indexer is stopping'));
  };

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
