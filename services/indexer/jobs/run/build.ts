import { JobPhase } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import type { GateReport } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';
import { unavailable } from '#kit/base/errors.ts';
import type { PrepareOptions } from '../../prepare/prepared.ts';
import type { Checkpoint } from '../job-store.ts';
import type { IndexClient, UnfinishedVersion } from './index-client.ts';
import { type HeldVersion, type JobResult, type JobRun, StaleBuildError } from './job-run.ts';

/** The index version that a job builds. It is begun when there is something to write, and stays the same after an interruption. */
export interface Build {
  /** Resumes the version that an earlier run began, if one did. */
  resume(options: PrepareOptions): Promise<void>;
  /** Returns the version to write into, and begins it if necessary. */
  begin(options: PrepareOptions): Promise<bigint>;
  /** Reports whether there is a version to publish. */
  isBegun(): boolean;
  /** Reports whether an earlier run may have written into it. */
  isResumed(): boolean;
  /**
   * Publishes the version. Throws StaleBuildError if its document count differs from `expectedDocumentCount`. `gate`: what was found before,
   * to be kept with the job.
   */
  publish(expectedDocumentCount: bigint, gate?: GateReport): Promise<JobResult>;
  /** Returns the version with what is left to do, for a job that waits for its approval. */
  hold(expectedDocumentCount: bigint, report: GateReport): Promise<HeldVersion>;
  /** Publishes the version that an earlier run completed; `undefined` if there is none or it must be built again. */
  publishPrepared(): Promise<JobResult | undefined>;
}

/** Creates the build of a run. Each step is recorded first, so that no version is left behind unknown. */
export function createBuild(
  run: JobRun,
  index: IndexClient,
  abandonOther: (other: UnfinishedVersion) => Promise<void>,
): Build {
  let begun: Promise<bigint> | undefined;
  let resumed = false;
  const open = async ({ embeddingModel, dimensions }: PrepareOptions) => {
    if (!run.checkpoint.isBuilding) await run.save({ checkpoint: { isBuilding: true } });
    let begun = await index.begin(run.job.jobId, embeddingModel, dimensions);
    if (begun.kind === 'blocked') {
      await abandonOther(begun.by);
      begun = await index.begin(run.job.jobId, embeddingModel, dimensions);
    }
    if (begun.kind === 'blocked')
      throw unavailable('retrieval', `unfinished version ${begun.by.version} blocks the build: try again`);
    const { version, created } = begun;
    resumed = !created;
    await run.save({ checkpoint: { isBuilding: true, version: String(version) } });
    return version;
  };
  const begin = (options: PrepareOptions) => {
    begun ??= open(options);
    return begun;
  };
  const readyToPublish = async (expectedDocumentCount: bigint) => {
    const version = await (begun ?? Promise.reject(new Error('no version was begun')));
    const expected = String(expectedDocumentCount);
    return { version, checkpoint: { isBuilding: true, version: String(version), expectedDocumentCount: expected } };
  };
  return {
    async resume(options) {
      if (run.checkpoint.isBuilding) await begin(options);
    },
    begin,
    isBegun: () => begun !== undefined,
    isResumed: () => resumed,
    async hold(expectedDocumentCount, report) {
      return { checkpoint: (await readyToPublish(expectedDocumentCount)).checkpoint, report };
    },
    async publish(expectedDocumentCount, gate) {
      const { version, checkpoint } = await readyToPublish(expectedDocumentCount);
      // The last check of the lease before the version becomes live.
      await run.save({ phase: JobPhase.PUBLISH, checkpoint, ...(gate && { gate }) });
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
 * Drops the version of a job that ends without a result. `find` returns the version if the checkpoint does not name it. Returns
 * the job's result if the version was already published and only the record of it was lost.
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
