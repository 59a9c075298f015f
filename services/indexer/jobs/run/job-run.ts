import type { JobPhase } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import type { Checkpoint, JobRecord, Progress } from '../job-queue.ts';

/** An attempt of a job, as the work sees it. */
export interface JobRun {
  readonly job: JobRecord;
  /** Counts up as the work goes on; written down now and then, and with every `save`. */
  readonly progress: Progress;
  /** What was written down last. */
  readonly checkpoint: Checkpoint;
  /** Ends the work at once: the job was cancelled, or the lease was lost. */
  readonly signal: AbortSignal;
  /** Asks the work to end where it can go on later. */
  readonly stopping: AbortSignal;
  /** Writes down what must not be forgotten. Throws LeaseLostError where the job is another's by now. */
  save(update: { phase?: JobPhase; checkpoint?: Checkpoint }): Promise<void>;
}

/** What a job made live. */
export interface JobResult {
  /** 0 where nothing changed. */
  version: bigint;
  revision: string;
}

/** The work ended because it was asked to; it goes on another time. */
export class StoppedError extends Error {
  override readonly name = 'StoppedError';
}

/** The job was cancelled. */
export class CancelledError extends Error {
  override readonly name = 'CancelledError';
}

/** The version under construction can't be used any more: it must be built anew. */
export class StaleBuildError extends Error {
  override readonly name = 'StaleBuildError';
}
