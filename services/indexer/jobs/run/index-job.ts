import type { Client } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { JobPhase, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { GateVerdict } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';
import type { IndexAdminService } from '#gen/ragmesh/retrieval/v1/index_admin_pb.ts';
import type { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { failedPrecondition, unavailable } from '#kit/base/errors.ts';
import type { Logger } from '#kit/base/log.ts';
import { withSpan } from '#kit/base/span.ts';
import { createEnricher, type EnrichDeps, enrichmentFor } from '../../chunk/enrich/enrich.ts';
import { nameOf } from '../../chunk/enrich/prompt.ts';
import type { IndexerSettings } from '../../config.ts';
import type { ContentHistory } from '../../documents/content-history.ts';
import { isDeleted } from '../../documents/deletion-store.ts';
import type { PublishedContacts } from '../../documents/published-contacts.ts';
import { type GateDeps, runGate } from '../../gate/gate.ts';
import type { PrepareThreads } from '../../prepare/prepare-threads.ts';
import type { PreparedBatch, PrepareOptions } from '../../prepare/prepared.ts';
import type { StagedUpload, Uploads } from '../../uploads/uploads.ts';
import type { Checkpoint, JobRecord, JobStore, Progress } from '../job-store.ts';
import { type Build, createBuild, dropBuild } from './build.ts';
import { forEachConcurrently } from './for-each.ts';
import { type BatchDeps, indexBatch } from './index-batch.ts';
import {
  createIndexClient,
  type IndexClient,
  type IndexWriter,
  revisionOf,
  type UnfinishedVersion,
} from './index-client.ts';
import { type HeldVersion, type JobResult, type JobRun, StoppedError } from './job-run.ts';
import { pruneContents } from './prune-contents.ts';
import { findRemovals } from './removals.ts';
import { readStored } from './stored-documents.ts';
import { createUploadContents, type UploadContents } from './upload-contents.ts';
import { readSizes } from './version-sizes.ts';

/** Dependencies of indexing jobs. */
export interface IndexJobDeps extends BatchDeps, GateDeps, Pick<EnrichDeps, 'llm'> {
  indexWriter: IndexWriter;
  indexAdmin: Pick<Client<typeof IndexAdminService>, 'listVersions'>;
  retrieval: Pick<Client<typeof RetrievalService>, 'listCorpora' | 'retrieve'>;
  jobs: JobStore;
  uploads: Uploads;
  threads: PrepareThreads;
  history: ContentHistory;
  publishedContacts: PublishedContacts;
  settings: IndexerSettings;
  metrics: BatchDeps['metrics'] & GateDeps['metrics'];
  log: Logger;
}

/** Batches that are indexed concurrently. */
const batchesMax = 2;

/**
 * Runs a job and returns its result, or its version if the gate holds it: reads the upload, compares each document with the live version, embeds and writes the changed
 * ones into a new version, checks it and publishes it. After any interruption it can run again with the same result: a version belongs to its
 * job, a document is written completely or not at all, and documents in the version are not written again.
 */
export async function runIndexJob(run: JobRun, deps: IndexJobDeps): Promise<JobResult | HeldVersion> {
  const { job } = run;
  const index = createIndexClient(deps.indexWriter, job.corpus, () => deps.caller.asService(job, run.signal));
  const build = createBuild(run, index, (other) => abandonUnfinished(run, other, index, deps));
  const result = (await build.publishPrepared()) ?? (await buildVersion(run, index, build, deps));
  if ('report' in result) return result;
  await deps.history.commit(job, job.jobId, result.version === 0n ? undefined : result.version);
  if (result.version !== 0n) await pruneSafely(run, index, deps);
  return result;
}

/** Drops what a job has built. Returns the job's result if it was published before it could be stopped. */
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
  else await deps.history.commit(job, job.jobId, result.version);
  return result;
}

async function buildVersion(
  run: JobRun,
  index: IndexClient,
  build: Build,
  deps: IndexJobDeps,
): Promise<JobResult | HeldVersion> {
  const { job, progress } = run;
  const options = await readOptions(job, run.signal, deps);
  resetCounts(progress);
  await run.save({ phase: JobPhase.PARSE });
  await build.resume(options);

  const contents = createUploadContents();
  const enrichment = enrichmentFor(deps.settings.enrichment, job.corpus);
  const call = () => deps.caller.asService(job, run.signal);
  const enricher = enrichment && createEnricher(enrichment, job, options, deps, call, run.signal);
  const { batches, removedPaths, upload } = await readDocuments(run, index, options, deps);
  const context = { run, deps, index, build, options, contents, upload, enricher };
  await forEachConcurrently(untilStopped(batches, run), batchesMax, (batch) =>
    withSpan('indexer.batch', { 'ragmesh.documents': batch.documents.length }, () => indexBatch(batch, context)),
  );
  run.signal.throwIfAborted();

  const removals = await findRemovals(job, contents, index, deps, removedPaths);
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
  await run.save({ phase: JobPhase.GATE });
  const deleted = await applyDeletions(run, version, contents, index, deps);
  const sizes = await readSizes(deps.indexAdmin, job.corpus, await deps.caller.asOperator(job, run.signal));
  const removedFromLive = await index.hashes(0n, removals);
  const expected = BigInt(sizes.live.documentCount + contents.created.size - removedFromLive.size);
  const report = await runGate(
    { job, version, index, contents, sizes, removals: [...removals, ...deleted], signal: run.signal },
    deps,
  );
  run.signal.throwIfAborted();
  if (report?.verdict === GateVerdict.HELD) return build.hold(expected, report);
  return withSpan('indexer.publish', {}, () => build.publish(expected, report));
}

/** Returns the documents of a job, those of its upload or those that the index holds already, and paths that are gone at their source. */
async function readDocuments(
  { job, signal }: JobRun,
  index: IndexClient,
  options: PrepareOptions,
  deps: IndexJobDeps,
): Promise<{ batches: AsyncIterable<PreparedBatch>; removedPaths: string[]; upload?: StagedUpload }> {
  if (job.source.kind !== 'upload') {
    return { batches: readStored(job, index, deps.documents, options), removedPaths: [] };
  }
  const upload = await deps.uploads.find(job.jobId, signal);
  if (upload === undefined) {
    throw failedPrecondition(ErrorReason.JOB_STATE, 'the files of this job are gone: upload them again');
  }
  const removedPaths = upload.files.filter(({ fromSource }) => fromSource?.isRemoved).map(({ path }) => path);
  // The last attempt may have failed by a file that no thread can read.
  const isCareful = job.attemptCount > 1;
  return { batches: deps.threads.prepare({ upload, options, isCareful }, signal), removedPaths, upload };
}

/**
 * Removes documents from the version that were deleted during the job, because a later deletion has precedence, and returns their ids.
 */
async function applyDeletions(
  { job }: JobRun,
  version: bigint,
  contents: UploadContents,
  index: IndexClient,
  deps: IndexJobDeps,
): Promise<string[]> {
  const deleted = await deps.deletions.listFor(job, job.sequence);
  const readded = [...contents.seen]
    .filter(([documentId, groups]) => isDeleted(deleted, documentId, groups))
    .map(([documentId]) => documentId);
  if (readded.length > 0) {
    await index.remove(version, readded);
    await deps.originals.remove(job, readded);
    await deps.documents.remove(job, readded);
  }
  for (const documentId of readded) {
    contents.created.delete(documentId);
    contents.changed.delete(documentId);
  }
  return readded;
}

/** Target length of a chunk as a share of the model's longest input. */
const fittingShare = 0.55;
/** Smallest target length of a chunk, in estimated tokens. */
const minChunkTokens = 16;

async function readOptions(job: JobRecord, signal: AbortSignal, deps: IndexJobDeps): Promise<PrepareOptions> {
  const { models } = await deps.embedding.listModels({}, await deps.caller.asService(job, signal));
  const [model] = models;
  if (model === undefined)
    throw failedPrecondition(
      ErrorReason.MODEL_UNKNOWN,
      'no embedding model is configured: add one to embedding.models',
    );
  // A chunk can be 1.5 times the target length, and its title and headings precede it.
  const fitting =
    model.maxInputTokens === 0 ? Number.POSITIVE_INFINITY : Math.floor(model.maxInputTokens * fittingShare);
  const enrichment = enrichmentFor(deps.settings.enrichment, job.corpus);
  const targetTokens = Math.max(minChunkTokens, Math.min(deps.settings.chunkTokens, fitting));
  return {
    targetTokens,
    overlapTokens: Math.min(deps.settings.chunkOverlapTokens, Math.floor(targetTokens / 2)),
    // The space identifies the model: another model under the same name must not embed these chunks.
    embeddingModel: model.space || model.name,
    dimensions: model.dimensions,
    enrichment: enrichment && nameOf(enrichment),
    personalData: await personalDataOf(job, deps),
  };
}

// What the tenant publishes in a document stays in the others.
async function personalDataOf(job: JobRecord, { settings, publishedContacts }: IndexJobDeps) {
  const policy = settings.personalData.ofCorpus(job.tenant, job.corpus);
  if (policy === undefined) return undefined;
  return { ...policy, published: [...policy.published, ...(await publishedContacts(job.tenant))] };
}

/** States of jobs whose version is still needed. */
const unfinishedStates = new Set<JobState>([JobState.QUEUED, JobState.RUNNING, JobState.HELD]);

/**
 * Abandons an unfinished version that blocks this job's version. Jobs of a corpus run one after another, so its job has ended or
 * its records were lost, and no job will finish it. Throws UNAVAILABLE if its job is still open.
 */
async function abandonUnfinished(
  run: JobRun,
  unfinished: UnfinishedVersion,
  index: IndexClient,
  deps: IndexJobDeps,
): Promise<void> {
  const [other] = await deps.jobs.list({ jobId: unfinished.buildId, limit: 1 });
  const isOver = other === undefined || !unfinishedStates.has(other.state);
  if (!isOver)
    throw unavailable('retrieval', `another job of the corpus is still building version ${unfinished.version}`);
  deps.log.warn(
    { event: 'version_abandoned', job_id: run.job.jobId, build_id: unfinished.buildId },
    'unfinished index version abandoned',
  );
  await index.abandon(unfinished.version);
}

/** Deletes old texts. A failure is only logged, because the next publish tries again. */
async function pruneSafely({ job }: JobRun, index: IndexClient, deps: IndexJobDeps): Promise<void> {
  try {
    await pruneContents(job, index, { history: deps.history, keptVersions: deps.settings.keptVersions });
  } catch (error) {
    deps.log.warn({ event: 'prune_failed', err: error, job_id: job.jobId }, 'old document texts not pruned');
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
