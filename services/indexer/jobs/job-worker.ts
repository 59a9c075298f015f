import type { Logger } from '#kit/base/log.ts';
import { sleep } from '#kit/base/streams.ts';
import type { JobQueue, Lease } from './job-queue.ts';
import { type AttemptDeps, runAttempt } from './run/attempt.ts';
import { CancelledError, StoppedError } from './run/job-run.ts';

/** Takes jobs from the queue and works on them until it is told to stop. */
export interface JobWorker {
  /** There may be something to take. */
  wake(): void;
  /** Stops a job that runs here, at once; nothing happens where it doesn't. */
  cancel(jobId: string): void;
  /** Takes no more jobs, lets those under way come to a point where they can go on later, and gives them back. */
  drain(signal: AbortSignal): Promise<void>;
  /** Stops at once; jobs under way are given back where that is still possible. */
  close(): Promise<void>;
}

/** Who holds the leases of a worker. */
export interface Owner {
  /** No two workers that live at once share it. */
  name: string;
  /** Whether another owner is known to live no more, so that its jobs need not wait for their leases to end. */
  isGone(owner: string): boolean;
}

/** What a worker works with. */
export interface JobWorkerDeps extends Omit<AttemptDeps, 'stopping'> {
  queue: JobQueue;
  owner: Owner;
  /** Jobs at once. */
  maxRunningJobs: number;
  leaseMs: number;
  log: Logger;
}

/** How often the queue is asked without a reason: for jobs of other processes, and for retries that fall due. */
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
        if (!stopping.signal.aborted) log.error({ err: error }, 'the job queue cannot be read; trying again');
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
