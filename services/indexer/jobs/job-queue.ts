import type { JobPhase, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import type { Database } from '#kit/storage/database.ts';

/** How far a job is, in documents. The names are those of the contract's JobProgress. */
export interface Progress {
  documentCount: number;
  changedCount: number;
  indexedCount: number;
  unchangedCount: number;
  removedCount: number;
  failedCount: number;
  chunkCount: number;
  readBytes: number;
  totalBytes: number;
}

/** What a job must not forget, whatever happens to its worker. */
export interface Checkpoint {
  /** A version may have been begun for it, which must be published or abandoned. */
  isBuilding: boolean;
  /** That version, once it is known. */
  version?: string;
  /** Set once all is written and only the publish is left: documents that the version must hold. */
  expectedDocumentCount?: string;
}

/** A job to add. */
export interface NewJob {
  jobId: string;
  tenant: string;
  /** Who asked for it; the job acts for them. */
  user: string;
  groups: readonly string[];
  corpus: string;
  deleteMissing: boolean;
  totalBytes: number;
}

/** A job as it stands. */
export interface JobRecord extends Omit<NewJob, 'totalBytes'> {
  /** Grows with every job; jobs of a corpus run in this order. */
  sequence: number;
  state: JobState;
  phase: JobPhase;
  progress: Progress;
  checkpoint: Checkpoint;
  attemptCount: number;
  isCancelRequested: boolean;
  /** Why the last attempt failed; empty where none did. */
  error: string;
  createdAtMs: number;
  updatedAtMs: number;
  /** Index version that it made live; 0 where it made none. */
  version: bigint;
  revision: string;
}

/** A worker's right to work on a job, until another gets it. */
export interface Lease {
  job: JobRecord;
  /** Fencing token: a later lease of the same job has a larger one. */
  fence: number;
  owner: string;
  leaseMs: number;
}

/** How an attempt ended. */
export type Outcome =
  | { kind: 'succeeded'; version: bigint; revision: string }
  | { kind: 'cancelled' }
  /** Given up: a dead letter. */
  | { kind: 'failed'; error: string }
  /** To be tried again, as a new attempt. */
  | { kind: 'retry'; error: string; dueAtMs: number }
  /** Given back: goes on as the same attempt, here or elsewhere. */
  | { kind: 'released'; dueAtMs: number };

/** What a worker says of its job; each word renews the lease. */
export interface JobUpdate {
  phase?: JobPhase;
  progress?: Progress;
  checkpoint?: Checkpoint;
  /** Ends the lease. */
  outcome?: Outcome;
}

/** Which jobs. */
export interface JobFilter {
  tenant?: string;
  jobId?: string;
  corpus?: string;
  states?: readonly JobState[];
  /** Only jobs before this one. */
  beforeSequence?: number;
  limit: number;
}

/** Who wants a job. */
export interface Taker {
  /** Names the worker; no two that live at once share it. */
  owner: string;
  leaseMs: number;
  /** Whether an owner is known to live no more, so that its jobs need not wait for the lease to end. */
  isGone(owner: string): boolean;
  /** Jobs that it works on already: it never gets one twice, however late it is with its word. */
  busy: readonly string[];
}

/** What adapters are given. */
export interface JobQueueDeps {
  /** Opens a durable record store, for adapters that keep their jobs there. */
  openDatabase<Schema>(name: string, migrations: readonly string[]): Promise<Database<Schema>>;
  /** Now, in milliseconds since 1970. */
  clock: () => number;
}

/** The lease was lost to another worker: what this one still does must have no effect. */
export class LeaseLostError extends Error {
  override readonly name = 'LeaseLostError';
  constructor(jobId: string) {
    super(`the lease of ${jobId} was lost to another worker`);
  }
}

/**
 * Durable jobs: who may work on which, and how each stands. Jobs of one corpus of a tenant run one after another, in the order
 * they came, and one that waits for its next attempt keeps its turn; tenants take turns.
 */
export interface JobQueue {
  /** Adds a job. When this resolves, the job survives a kill. */
  add(job: NewJob): Promise<void>;
  /**
   * The next job whose turn it is, leased. Jobs whose lease has ended, or whose owner is gone, are taken as well and go on as the
   * same attempt; one that has outlived too many workers is given up instead.
   */
  take(taker: Taker): Promise<Lease | undefined>;
  /** Writes what the worker says and renews its lease. Throws LeaseLostError where the lease is not its own any more. */
  update(lease: Lease, update: JobUpdate): Promise<{ isCancelRequested: boolean }>;
  /**
   * Cancels a job (a running one is asked to stop), or sends a failed one back to its turn. Throws NOT_FOUND, or
   * FAILED_PRECONDITION (JOB_STATE) where its state doesn't allow that.
   */
  request(tenant: string, jobId: string, what: 'cancel' | 'retry'): Promise<JobRecord>;
  /** Jobs, the latest first. */
  list(filter: JobFilter): Promise<JobRecord[]>;
  /** How many jobs wait or run, of a tenant or of all. */
  countOpen(tenant?: string): Promise<number>;
}
