import { JobPhase } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { unavailable } from '#kit/base/errors.ts';
import type { PrepareOptions } from '../../prepare/prepared.ts';
import type { Checkpoint } from '../job-queue.ts';
import type { IndexClient, Obstacle } from './index-client.ts';
import { type JobResult, type JobRun, StaleBuildError } from './job-run.ts';

/** The index version that a job builds: none until there is something to write, and the same one after any interruption. */
export interface Build {
  /** Takes up the version that an earlier run began, where one did. */
  resume(options: PrepareOptions): Promise<void>;
  /** The version to write into; begun where it was not yet. */
  begin(options: PrepareOptions): Promise<bigint>;
  isBegun(): boolean;
  /** Whether an earlier run may have written into it. */
  isResumed(): boolean;
  /** Publishes it. Throws StaleBuildError where it does not hold exactly so many documents. */
  publish(expectedDocumentCount: bigint): Promise<JobResult>;
  /** Publishes what an earlier run had made ready; `undefined` where none had, or where it must be built anew. */
  publishPrepared(): Promise<JobResult | undefined>;
}

/** Creates the build of a run. What it does is written down first, so that no version is ever left behind unknown. */
export function createBuild(run: JobRun, index: IndexClient, clearWay: (obstacle: Obstacle) => Promise<void>): Build {
  let begun: Promise<bigint> | undefined;
  let resumed = false;
  const open = async ({ embeddingModel, dimensions }: PrepareOptions) => {
    if (!run.checkpoint.isBuilding) await run.save({ checkpoint: { isBuilding: true } });
    let begun = await index.begin(run.job.jobId, embeddingModel, dimensions);
    if (begun.kind === 'blocked') {
      await clearWay(begun.by);
      begun = await index.begin(run.job.jobId, embeddingModel, dimensions);
    }
    if (begun.kind === 'blocked') throw unavailable('retrieval', `version ${begun.by.version} stands in the way`);
    const { version, created } = begun;
    resumed = !created;
    await run.save({ checkpoint: { isBuilding: true, version: String(version) } });
    return version;
  };
  const begin = (options: PrepareOptions) => {
    begun ??= open(options);
    return begun;
  };
  return {
    async resume(options) {
      if (run.checkpoint.isBuilding) await begin(options);
    },
    begin,
    isBegun: () => begun !== undefined,
    isResumed: () => resumed,
    async publish(expectedDocumentCount) {
      const version = await (begun ?? Promise.reject(new Error('nothing was begun')));
      const expected = String(expectedDocumentCount);
      // Last chance to hear that the job is another's: from here on it goes live.
      await run.save({
        phase: JobPhase.PUBLISH,
        checkpoint: { isBuilding: true, version: String(version), expectedDocumentCount: expected },
      });
      return { version, revision: await index.publish(version, expectedDocumentCount) };
    },
    async publishPrepared() {
      const { version, expectedDocumentCount } = run.checkpoint;
      if (version === undefined || expectedDocumentCount === undefined) return undefined;
      try {
        await run.save({ phase: JobPhase.PUBLISH });
        return {
          version: BigInt(version),
          revision: await index.publish(BigInt(version), BigInt(expectedDocumentCount)),
        };
      } catch (error) {
        if (!(error instanceof StaleBuildError)) throw error;
        await index.abandon(BigInt(version));
        await run.save({ checkpoint: { isBuilding: false } });
        return undefined;
      }
    },
  };
}

/**
 * Drops the version of a job that comes to nothing; `find` gives it where only its beginning was written down. Gives the result
 * where there is one after all: it was published, and only the word of it was lost.
 */
export async function dropBuild(
  checkpoint: Checkpoint,
  index: IndexClient,
  find: () => Promise<bigint | undefined>,
): Promise<JobResult | undefined> {
  const { isBuilding, version: known, expectedDocumentCount } = checkpoint;
  if (!isBuilding) return undefined;
  const version = known === undefined ? await find() : BigInt(known);
  if (version === undefined) return undefined;
  const isDropped = await index.abandon(version);
  if (isDropped || expectedDocumentCount === undefined) return undefined;
  return { version, revision: await index.publish(version, BigInt(expectedDocumentCount)) };
}
