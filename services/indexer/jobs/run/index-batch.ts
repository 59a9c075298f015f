import type { Client } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import type { EmbeddingService } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { JobPhase } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { grantedGroups } from '#kit/rpc/access.ts';
import { tokenize } from '#kit/text/tokenize.ts';
import type { Enricher } from '../../chunk/enrich/enrich.ts';
import type { IndexerSettings } from '../../config.ts';
import { accessListOf } from '../../convert.ts';
import { type DeletionStore, isDeleted } from '../../documents/deletion-store.ts';
import type { DocumentStore } from '../../documents/document-store.ts';
import type { Originals } from '../../documents/originals/originals.ts';
import type { IndexerMetrics } from '../../metrics.ts';
import { applyOverlays, noteLeftOut } from '../../overlays/apply-overlays.ts';
import type { OverlayStore } from '../../overlays/overlay-store.ts';
import type { PreparedBatch, PreparedDocument, PrepareOptions } from '../../prepare/prepared.ts';
import type { StagedUpload } from '../../uploads/uploads.ts';
import type { FailureStore } from '../failure-store.ts';
import type { NoteStore } from '../note-store.ts';
import { findHidden, refuseHidden } from '../rights.ts';
import type { Build } from './build.ts';
import type { Caller } from './caller.ts';
import { type Embedded, embedDocuments } from './embed-documents.ts';
import type { IndexClient, IndexEntry } from './index-client.ts';
import type { JobRun } from './job-run.ts';
import { addBatch, type UploadContents, type WrittenDocument } from './upload-contents.ts';

/** Dependencies of indexing a batch. */
export interface BatchDeps {
  embedding: Pick<Client<typeof EmbeddingService>, 'embed' | 'listModels'>;
  documents: DocumentStore;
  deletions: DeletionStore;
  overlays: OverlayStore;
  originals: Pick<Originals, 'keep' | 'carry' | 'remove'>;
  settings: Pick<IndexerSettings, 'keepsOriginals'>;
  failures: FailureStore;
  notes: NoteStore;
  caller: Caller;
  clock: () => number;
  metrics: Pick<IndexerMetrics, 'batchChunks' | 'chunkChars'>;
}

/** State that the batches of a job share. */
export interface BatchContext {
  run: JobRun;
  deps: BatchDeps;
  index: IndexClient;
  build: Build;
  options: PrepareOptions;
  contents: UploadContents;
  /** The files of the job; `undefined`: it has none. */
  upload: StagedUpload | undefined;
  /** What adds to chunks what a model writes about them; `undefined`: nothing. */
  enricher: Enricher | undefined;
}

/** Indexes a batch of documents: embeds and writes those that differ from the live version and are not written yet. */
export async function indexBatch(given: PreparedBatch, context: BatchContext): Promise<void> {
  const { run, deps, index, build, options, contents } = context;
  const { job, progress } = run;
  const givenIds = given.documents.map(({ documentId }) => documentId);
  // A new model changes neither what a document says nor who may see it, and a version has vectors of one model: a document that stayed behind
  // would hold up the version.
  const hidden = job.source.kind === 'reindex' ? new Set<string>() : await findHidden(index, job, givenIds);
  const batch = await withOverlays(refuseHidden(given, hidden), context);
  await deps.failures.add(job.jobId, batch.failures);
  await deps.notes.add(job.jobId, batch.notes);
  progress.failedCount += batch.failures.length;
  progress.noteCount += batch.notes.length;
  addBatch(contents, batch);

  const deleted = await deps.deletions.listFor(job, job.sequence);
  const left = batch.documents.filter(({ documentId, groups }) => !isDeleted(deleted, documentId, groups));
  const ids = left.map(({ documentId }) => documentId);
  const live = await index.entries(0n, ids);
  // A version starts as a copy of the live one: they differ only if an earlier run has written into it.
  const built = build.isResumed() ? await index.entries(await build.begin(options), ids) : live;
  const documents = await enrichUnwritten(left, live, built, context);
  const changed = documents.filter((document) => !isSame(document, live.get(document.documentId)));
  const unwritten = documents.filter((document) => !isSame(document, built.get(document.documentId)));
  for (const document of changed) {
    if (!live.has(document.documentId)) contents.created.add(document.documentId);
    contents.changed.set(document.documentId, toWritten(document));
  }
  progress.documentCount += batch.documents.length;
  progress.unchangedCount += documents.length - changed.length;
  progress.changedCount += changed.length;

  // A missing text is stored again, even if the index already holds the document.
  const present = await deps.documents.present(job, documents);
  const unkept = new Set(unwritten);
  for (const document of documents) if (!present.has(document.documentId)) unkept.add(document);
  await deps.documents.keep(job, job.jobId, [...unkept], deps.clock());
  if (deps.settings.keepsOriginals(job.tenant, job.corpus)) {
    if (context.upload === undefined) await deps.originals.carry(job, documents);
    else await deps.originals.keep(job, context.upload, documents, run.signal);
  }

  if (unwritten.length > 0) {
    if (progress.indexedCount === 0) await run.save({ phase: JobPhase.INDEX });
    const version = await build.begin(options);
    const call = () => deps.caller.asService(job, run.signal);
    observeChunks(deps, unwritten);
    const { embedded, refused } = await embedDocuments(deps.embedding, unwritten, options, call);
    if (embedded.length > 0) await index.write(version, embedded);
    if (refused.length > 0) await addRefused(refused, context);
  }
  const written = changed.filter(({ documentId }) => contents.changed.has(documentId));
  progress.indexedCount += written.length;
  for (const { chunks } of written) progress.chunkCount += chunks.length;
  progress.readBytes = Math.max(progress.readBytes, batch.readBytes);
}

/** Enriches documents that are not in the version yet. */
async function enrichUnwritten(
  documents: readonly PreparedDocument[],
  live: ReadonlyMap<string, IndexEntry>,
  built: ReadonlyMap<string, IndexEntry>,
  { enricher, run, deps }: BatchContext,
): Promise<readonly PreparedDocument[]> {
  if (enricher === undefined) return documents;
  const open = documents.filter((document) => !isSame(document, built.get(document.documentId)));
  const earlier = open.map(({ documentId, contentHash }) => {
    const stored = [live, built].map((entries) => entries.get(documentId)?.contentHash ?? '');
    return [documentId, [...new Set([contentHash, ...stored])].filter((hash) => hash !== '')] as const;
  });
  const enriched = await enricher.enrich(open, new Map(earlier));
  await deps.notes.add(run.job.jobId, enriched.notes);
  run.progress.noteCount += enriched.notes.length;
  const byId = new Map(enriched.documents.map((document) => [document.documentId, document]));
  return documents.map((document) => byId.get(document.documentId) ?? document);
}

/** Counts documents that the embedding model refuses as failures; their live versions stay. */
async function addRefused(refused: Embedded['refused'], { run, deps, contents }: BatchContext): Promise<void> {
  const failures = refused.map(({ document: { documentId, origin }, message }) => ({
    ...origin,
    documentId,
    reason: ErrorReason.PROVIDER_REFUSED,
    message: `the embedding model does not take its text: ${message}`,
  }));
  await deps.failures.add(run.job.jobId, failures);
  for (const { documentId } of failures) {
    contents.unreadable.add(documentId);
    contents.created.delete(documentId);
    contents.changed.delete(documentId);
  }
  run.progress.failedCount += failures.length;
  run.progress.changedCount -= failures.length;
}

function toWritten(document: PreparedDocument): WrittenDocument {
  const { text, chunks, groups } = document;
  return {
    chunkCount: chunks.length,
    groups,
    isEmpty: !/[\p{L}\p{N}]/u.test(text),
    query: groups.length === 0 ? '' : queryFor(document),
  };
}

/** Characters that are kept to search for a document. */
const queryLengthMax = 200;

/**
 * Returns what a search for a document asks: its title, or the beginning of its text if the title has no word that is searched for. Empty if
 * neither has one, and for a document that is found on some days only.
 */
function queryFor({ title, text, attributes }: PreparedDocument): string {
  if (attributes.valid_from !== undefined || attributes.valid_until !== undefined) return '';
  const candidates = [title, text].map((words) => words.slice(0, queryLengthMax));
  return candidates.find((words) => tokenize(words, { mode: 'query' }).length > 0) ?? '';
}

/** Returns a batch whose documents have what people have changed in them. */
async function withOverlays(batch: PreparedBatch, { run, deps, options }: BatchContext): Promise<PreparedBatch> {
  const ids = batch.documents.map(({ documentId }) => documentId);
  const overlays = Map.groupBy(await deps.overlays.listOf(run.job, ids), ({ documentId }) => documentId);
  if (overlays.size === 0) return batch;
  const of = ({ documentId }: PreparedDocument) => overlays.get(documentId) ?? [];
  const documents = batch.documents.map((document) => applyOverlays(document, of(document), options));
  return {
    ...batch,
    documents,
    notes: [...batch.notes, ...batch.documents.flatMap((one) => noteLeftOut(one, of(one)))],
  };
}

function observeChunks({ metrics }: BatchDeps, documents: readonly PreparedDocument[]): void {
  const chunks = documents.flatMap((document) => document.chunks);
  metrics.batchChunks.observe(chunks.length);
  for (const { start, end } of chunks) metrics.chunkChars.observe(end - start);
}

// After a rollback, a document can have its older content and a newer access list. The hash alone does not show that.
function isSame({ contentHash, groups }: PreparedDocument, entry: IndexEntry | undefined): boolean {
  if (entry === undefined || entry.contentHash !== contentHash) return false;
  return String(grantedGroups(entry.access)) === String(grantedGroups(accessListOf(groups)));
}
