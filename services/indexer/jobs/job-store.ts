import type { JobPhase, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import type { GateReport } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';

/** Progress of a job. The names are those of the contract's JobProgress. */
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
  noteCount: number;
}

/** State of a job that survives the end of its worker. */
export interface Checkpoint {
  /** Whether a version may have been begun for the job, which must be published or abandoned. */
  isBuilding: boolean;
  /** Number of that version, once it is known. */
  version?: string;
  /** Documents that the version must hold; set when only the publish is left. */
  expectedDocumentCount?: string;
}

/** A job to add. */
export interface NewJob {
  jobId: string;
  tenant: string;
  /** Caller who uploaded; the job acts for this user. */
  user: string;
  groups: readonly string[];
  corpus: string;
  deleteMissing: boolean;
  totalBytes: number;
  /** @default an upload */
  source?: JobSource;
  /** Whether a person waits for it and it takes seconds: it is taken before the other jobs of its tenant. @default false */
  isUrgent?: boolean;
}

/** What a job indexes: its upload, or documents that the index holds already (none named: all of them). */
export type JobSource = { kind: 'upload' } | { kind: 'edit'; documentIds: readonly string[] } | { kind: 'reindex' };

/** The current state of a job. */
export interface JobRecord extends Omit<NewJob, 'totalBytes' | 'source' | 'isUrgent'> {
  source: JobSource;
  /** Position in the queue; jobs of a corpus run in this order. */
  sequence: number;
  state: JobState;
  phase: JobPhase;
  progress: Progress;
  checkpoint: Checkpoint;
  attemptCount: number;
  isCancelRequested: boolean;
  /** Why the last attempt failed; empty if it did not. */
  error: string;
  createdAtMs: number;
  updatedAtMs: number;
  /** Index version that the job published; 0 if it published none. */
  version: bigint;
  revision: string;
  /** What the gate found: a GateReport as JSON; empty if its version was not checked. */
  gate: string;
}

/** What a caller wants of a job. `check`: checks a held version again. `decide`: approves or rejects it. */
export type JobWish =
  | { kind: 'cancel' }
  | { kind: 'retry' }
  | { kind: 'check' }
  | { kind: 'decide'; isApproved: boolean; user: string; comment: string };

/** A worker's exclusive right to work on a job until the lease expires. */
export interface Lease {
  job: JobRecord;
  /** Fencing token; a later lease of the same job has a larger one. */
  fence: number;
  owner: string;
  leaseMs: number;
}

/** How an attempt ended. */
export type Outcome =
  | { kind: 'succeeded'; version: bigint; revision: string }
  | { kind: 'cancelled' }
  /** Ended without success: a dead letter. */
  | { kind: 'failed'; error: string }
  /** Waits for the decision of an operator. */
  | { kind: 'held'; checkpoint: Checkpoint; report: GateReport }
  /** Waits for a new attempt. */
  | { kind: 'retry'; error: string; dueAtMs: number }
  /** Returned to the queue: the same attempt continues later, in any worker. */
  | { kind: 'released'; dueAtMs: number };

/** A worker's update of its job; each update renews the lease. */
export interface JobUpdate {
  phase?: JobPhase;
  progress?: Progress;
  checkpoint?: Checkpoint;
  /** What the gate found. */
  gate?: GateReport;
  /** Ends the lease. */
  outcome?: Outcome;
}

/** Conditions for a list of jobs. */
export interface JobFilter {
  tenant?: string;
  jobId?: string;
  corpus?: string;
  states?: readonly JobState[];
  /** Only jobs before this one. */
  beforeSequence?: number;
  limit: number;
}

/** A worker that asks for a job. */
export interface Taker {
  /** Name of the worker, unique among running workers. */
  owner: string;
  leaseMs: number;
  /** Reports whether an owner is known to have ended, so that its leases need not expire first. */
  isGone(owner: string): boolean;
  /** Jobs that the worker is running: it never gets one of them again, even if its lease has expired. */
  busy: readonly string[];
  /** Whether it asks for urgent jobs only. @default false */
  onlyUrgent?: boolean;
}

/** A job that a worker can take now. */
export interface JobNotice {
  jobId: string;
  tenant: string;
  corpus: string;
  isUrgent: boolean;
}

/** The lease was lost to another worker: later writes of this one must have no effect. */
export class LeaseLostError extends Error {
  override readonly name = 'LeaseLostError';
  constructor(jobId: string) {
    super(`the lease of ${jobId} was lost to another worker`);
  }
}

/**
 * Durable jobs with leases, shared by all replicas. Jobs of one corpus of a tenant run one after another in the order of their arrival, by
 * one worker at a time; a job that waits for its next attempt, or whose version is held, keeps its position. Tenants take turns.
 */
export interface JobStore {
  /** Adds a job. Once it resolves, the job survives a kill. */
  add(job: NewJob): Promise<void>;
  /**
   * Leases the next job and returns the lease; `undefined` if no job is due. A job whose lease has expired or whose owner is gone
   * is leased again and continues as the same attempt; after too many lost workers it fails instead. `jobId`: only this job.
   */
  take(taker: Taker, jobId?: string): Promise<Lease | undefined>;
  /**
   * Returns jobs that a worker can take now, urgent ones first, and marks them, so that each is returned once: again only after it has changed, or
   * `againMs` later. For a queue of messages.
   */
  announce(againMs: number, limit: number): Promise<JobNotice[]>;
  /** Takes the marks of `announce` back. */
  unannounce(jobIds: readonly string[]): Promise<void>;
  /** Writes an update and renews the lease. Throws LeaseLostError if another worker has the lease. */
  update(lease: Lease, update: JobUpdate): Promise<{ isCancelRequested: boolean }>;
  /**
   * Cancels a job (a running one is asked to stop), queues a failed one again, or lets a held one publish or drop its version, and returns
   * it. Throws NOT_FOUND, or FAILED_PRECONDITION (JOB_STATE) if its state does not allow that.
   */
  request(tenant: string, jobId: string, wish: JobWish): Promise<JobRecord>;
  /** Returns jobs, the latest first. */
  list(filter: JobFilter): Promise<JobRecord[]>;
  /** Returns the number of jobs whose version is held, of all tenants. */
  countHeld(): Promise<number>;
  /** Returns the number of waiting and running jobs, of one tenant or of all. */
  countOpen(tenant?: string): Promise<number>;
  /** Returns since when the oldest waiting job waits, in milliseconds since 1970; `undefined` if none waits. */
  waitingSinceMs(): Promise<number | undefined>;
}
