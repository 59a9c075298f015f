import type { JobPhase } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import type { GateReport } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';
import type { Checkpoint, JobRecord, Progress } from '../job-store.ts';

/** A running attempt of a job. */
export interface JobRun {
  readonly job: JobRecord;
  /** Counts of the work so far; written at an interval and with every `save`. */
  readonly progress: Progress;
  /** The last saved checkpoint. */
  readonly checkpoint: Checkpoint;
  /** Ends the work immediately: the job was cancelled, or the lease was lost. */
  readonly signal: AbortSignal;
  /** Asks the work to stop between two batches. */
  readonly stopping: AbortSignal;
  /** Saves phase, checkpoint and what the gate found. Throws LeaseLostError if another worker has the job. */
  save(update: { phase?: JobPhase; checkpoint?: Checkpoint; gate?: GateReport }): Promise<void>;
}

/** A version that the gate holds back. */
export interface HeldVersion {
  /** What is left to do once it is approved: the publish. */
  checkpoint: Checkpoint;
  report: GateReport;
}

/** What a job published. */
export interface JobResult {
  /** 0 if nothing changed. */
  version: bigint;
  revision: string;
}

/** The work stopped on request and continues later. */
export class StoppedError extends Error {
  override readonly name = 'StoppedError';
}

/** The job was cancelled. */
export class CancelledError extends Error {
  override readonly name = 'CancelledError';
}

/** The version that is being built cannot be used any more: it must be built again. */
export class StaleBuildError extends Error {
  override readonly name = 'StaleBuildError';
}
