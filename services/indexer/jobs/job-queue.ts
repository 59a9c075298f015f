import type { Logger } from '#kit/base/log.ts';
import type { JobNotice } from './job-store.ts';

/** What a worker answers to an offer: it runs a job until `done` resolves, it cannot take the job now, or there is no such job. */
export type Accepted = { done: Promise<void> } | 'none' | 'unknown';

/** A worker, as its queue sees it. */
export interface QueueWorker {
  /** Jobs that it runs concurrently. */
  maxRunningJobs: number;
  /**
   * Offers a job: the one with this id, or whichever is next. The worker leases it in the records, so it is harmless to offer a job twice or
   * to several workers. Rejects if the records cannot be read; the same offer may then be made again.
   */
  offer(jobId?: string): Promise<Accepted>;
}

/** Part of the job store from which a queue of messages learns what to send. */
export interface Notices {
  announce(againMs: number, limit: number): Promise<JobNotice[]>;
  unannounce(jobIds: readonly string[]): Promise<void>;
}

/**
 * Distributes jobs among the workers of all replicas, at least once. The records are the truth: what a job is, its order in its corpus, who
 * has it. So a message may be lost, late or sent twice; the job is offered again, and is run by one worker at a time.
 */
export interface JobQueue {
  /** Starts to offer jobs to a worker. Called once. Does not wait for servers. */
  start(worker: QueueWorker): void;
  /** Looks for jobs immediately: one was added, has ended, or has changed. */
  wake(): void;
  /** Returns the number of messages that no worker has finished, by topic; empty if the queue has none of its own, or cannot be read. */
  backlog(signal: AbortSignal): Promise<ReadonlyMap<string, number>>;
  /** Offers no more jobs. Resolves when no offer is being made; accepted jobs continue. */
  stop(): Promise<void>;
  /** Closes connections, after accepted jobs have ended. */
  close(): Promise<void>;
}

/** Dependencies of adapters. */
export interface JobQueueDeps {
  notices: Notices;
  log: Logger;
  /** Path of the adapter's name in the configuration, for errors. */
  path: string;
}
