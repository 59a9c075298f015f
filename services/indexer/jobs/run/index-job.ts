import type { Client } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import type { EmbeddingService } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { JobPhase, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import type { IndexWriterService } from '#gen/ragmesh/retrieval/v1/index_writer_pb.ts';
import type { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { failedPrecondition, unavailable } from '#kit/base/errors.ts';
import type { Logger } from '#kit/base/log.ts';
import { withSpan } from '#kit/base/span.ts';
import type { IndexerSettings } from '../../config.ts';
import type { ContentHistory } from '../../documents/content-history.ts';
import { type DeletionStore, isDeleted } from '../../documents/deletion-store.ts';
import type { DocumentStore } from '../../documents/document-store.ts';
import type { PrepareThreads } from '../../prepare/prepare-threads.ts';
import type { PrepareOptions } from '../../prepare/prepared.ts';
import type { Uploads } from '../../uploads/uploads.ts';
import type { FailureStore } from '../failure-store.ts';
import type { Checkpoint, JobQueue, JobRecord, Progress } from '../job-queue.ts';
import { pruneContents } from '../prune-contents.ts';
import { type Build, createBuild, dropBuild } from './build.ts';
import type { Caller } from './caller.ts';
import { forEachConcurrently } from './for-each.ts';
import { createFound, type Found } from './found.ts';
import { indexBatch } from './index-batch.ts';
import { createIndexClient, type IndexClient, type Obstacle, revisionOf } from './index-client.ts';
import { type JobResult, type JobRun, StoppedError } from './job-run.ts';
import { findRemovals } from './removals.ts';

/** What jobs work with. */
export interface IndexJobDeps {
  indexWriter: Client<typeof IndexWriterService>;
  retrieval: Client<typeof RetrievalService>;
  embedding: Client<typeof EmbeddingService>;
  queue: JobQueue;
  uploads: Uploads;
  threads: PrepareThreads;
  documents: DocumentStore;
  history: ContentHistory;
  deletions: DeletionStore;
  failures: FailureStore;
  caller: Caller;
  settings: IndexerSettings;
  clock: () => number;
  log: Logger;
}

/** Batches under way between the reader and the index. */
const batchesMax = 2;

/**
 * Does a job: reads its upload, compares each document with what the live version holds, embeds and writes what differs into a
 * new version, and publishes that. Run again after any end, it goes on and comes to the same result: a version belongs to its
 * job, a document is written whole or not, and what the version holds already is not written again.
 */
export async function runIndexJob(run: JobRun, deps: IndexJobDeps): Promise<JobResult> {
  const { job } = run;
  const index = createIndexClient(deps.indexWriter, job.corpus, () => deps.caller.asService(job, run.signal));
  const build = createBuild(run, index, (obstacle) => clearWay(run, obstacle, index, deps));
  const result = (await build.publishPrepared()) ?? (await buildVersion(run, index, build, deps));
  await deps.history.settle(job, job.jobId, result.version === 0n ? undefined : result.version);
  if (result.version !== 0n) await pruneSafely(run, index, deps);
  return result;
}

/** Ends a job that comes to nothing. Gives its result where it was published before it could be stopped. */
export async function abandonIndexJob(
  job: JobRecord,
  checkpoint: Checkpoint,
  signal: AbortSignal,
  deps: IndexJobDeps,
): Promise<JobResult | undefined> {
  const index = createIndexClient(deps.indexWriter, job.corpus, () => deps.caller.asService(job, signal));
  const result = await dropBuild(checkpoint, index, async () => {
    const { embeddingModel, dimensions } = await readOptions(job, signal, deps);
    const begun = await index.begin(job.jobId, embeddingModel, dimensions);
    return begun.kind === 'begun' ? begun.version : undefined;
  });
  if (result === undefined) await deps.history.abandon(job.jobId);
  else await deps.history.settle(job, job.jobId, result.version);
  return result;
}

async function buildVersion(run: JobRun, index: IndexClient, build: Build, deps: IndexJobDeps): Promise<JobResult> {
  const { job, progress } = run;
  const upload = await deps.uploads.find(job.jobId);
  if (upload === undefined) {
    throw failedPrecondition(ErrorReason.JOB_STATE, 'the files of this job are gone: upload them again');
  }
  const options = await readOptions(job, run.signal, deps);
  resetCounts(progress);
  await run.save({ phase: JobPhase.PARSE });
  await build.resume(options);

  const found = createFound();
  const context = { run, deps, index, build, options, found };
  await forEachConcurrently(
    untilStopped(deps.threads.prepare({ upload, options }, run.signal), run),
    batchesMax,
    (batch) =>
      withSpan('indexer.batch', { 'ragmesh.documents': batch.documents.length }, () => indexBatch(batch, context)),
  );
  run.signal.throwIfAborted();

  const removals = await findRemovals(job, found, index, deps);
  if (removals.length > 0) {
    await index.remove(await build.begin(options), removals);
    await deps.history.retire(job, removals);
    progress.removedCount = removals.length;
  }
  if (!build.isBegun()) {
    const callOptions = await deps.caller.asService(job, run.signal);
    return { version: 0n, revision: await revisionOf(deps.retrieval, job.corpus, callOptions) };
  }
  const version = await build.begin(options);
  const expected = await settleDeletions(run, version, found, removals, index, deps);
  return withSpan('indexer.publish', {}, () => build.publish(expected));
}

/**
 * Takes out what was deleted while it was being written (the deletion, asked for later, has the last word), and counts what the
 * version must hold now.
 */
async function settleDeletions(
  { job }: JobRun,
  version: bigint,
  found: Found,
  removals: readonly string[],
  index: IndexClient,
  deps: IndexJobDeps,
): Promise<bigint> {
  const deleted = await deps.deletions.listFor(job, job.sequence);
  const brought = [...found.seen]
    .filter(([documentId, groups]) => isDeleted(deleted, documentId, groups))
    .map(([documentId]) => documentId);
  if (brought.length > 0) {
    await index.remove(version, brought);
    await deps.documents.remove(job, brought);
  }
  const removedFromLive = await index.hashes(0n, removals);
  const createdCount = [...found.created].filter(
    (documentId) => !isDeleted(deleted, documentId, found.seen.get(documentId) ?? []),
  ).length;
  return (await index.countLive()) + BigInt(createdCount) - BigInt(removedFromLive.size);
}

/** Share of what the model takes that a chunk is to be. */
const fittingShare = 0.55;
/** Shortest chunk that is aimed at, in estimated tokens. */
const minChunkTokens = 16;

async function readOptions(job: JobRecord, signal: AbortSignal, deps: IndexJobDeps): Promise<PrepareOptions> {
  const { models } = await deps.embedding.listModels({}, await deps.caller.asService(job, signal));
  const [model] = models;
  if (model === undefined) throw failedPrecondition(ErrorReason.MODEL_UNKNOWN, 'no embedding model is configured');
  // A chunk may be half as long again as what is aimed at, and its title and headings go before it.
  const fitting =
    model.maxInputTokens === 0 ? Number.POSITIVE_INFINITY : Math.floor(model.maxInputTokens * fittingShare);
  const targetTokens = Math.max(minChunkTokens, Math.min(deps.settings.chunkTokens, fitting));
  return {
    targetTokens,
    overlapTokens: Math.min(deps.settings.chunkOverlapTokens, Math.floor(targetTokens / 2)),
    // By its space: another model under the same name must never be asked for vectors of this one.
    embeddingModel: model.space || model.name,
    dimensions: model.dimensions,
  };
}

/**
 * Ends a version that stands in the way of this job's. Jobs of a corpus run one after another, so whoever began it is over, or
 * is not known here (its records were lost): nobody will ever finish it.
 */
async function clearWay(run: JobRun, obstacle: Obstacle, index: IndexClient, deps: IndexJobDeps): Promise<void> {
  const [other] = await deps.queue.list({ jobId: obstacle.buildId, limit: 1 });
  const isOver = other === undefined || (other.state !== JobState.QUEUED && other.state !== JobState.RUNNING);
  if (!isOver)
    throw unavailable('retrieval', `another job of the corpus is still building version ${obstacle.version}`);
  deps.log.warn({ job_id: run.job.jobId, build_id: obstacle.buildId }, 'a version that was left behind is abandoned');
  await index.abandon(obstacle.version);
}

/** Texts that are kept too long do no harm, and the next publish tries again: the job is done all the same. */
async function pruneSafely({ job }: JobRun, index: IndexClient, deps: IndexJobDeps): Promise<void> {
  try {
    await pruneContents(job, index, { history: deps.history, keptVersions: deps.settings.keptVersions });
  } catch (error) {
    deps.log.warn({ err: error, job_id: job.jobId }, 'texts of old versions were not pruned');
  }
}

async function* untilStopped<T>(values: AsyncIterable<T>, { signal, stopping }: JobRun): AsyncIterable<T> {
  for await (const value of values) {
    signal.throwIfAborted();
    if (stopping.aborted) throw new StoppedError('the indexer is stopping');
    yield value;
  }
}

function resetCounts(progress: Progress): void {
  const { totalBytes } = progress;
  for (const name of Object.keys(progress) as (keyof Progress)[]) progress[name] = 0;
  progress.totalBytes = totalBytes;
}
