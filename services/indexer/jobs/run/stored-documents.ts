import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { everyone, grantedGroups } from '#kit/rpc/access.ts';
import type { DocumentSource, DocumentStore } from '../../documents/document-store.ts';
import { hashDocument } from '../../prepare/content-hash.ts';
import type { PreparedBatch, PreparedDocument, PreparedFailure, PrepareOptions } from '../../prepare/prepared.ts';
import type { JobRecord } from '../job-store.ts';
import type { IndexClient, IndexEntry } from './index-client.ts';

/** Documents of a batch. */
const batchMax = 100;

/**
 * Yields documents of the live version as they were read, to be indexed again: with other overlays, or another embedding model. They have
 * the access list that the index has for them now.
 */
export async function* readStored(
  job: JobRecord,
  index: IndexClient,
  documents: DocumentStore,
  options: PrepareOptions,
): AsyncGenerator<PreparedBatch> {
  if (job.source.kind === 'edit') {
    yield await toBatch(job.source.documentIds);
    return;
  }
  let ids: string[] = [];
  for await (const { documentId } of index.liveEntries()) {
    ids.push(documentId);
    if (ids.length < batchMax) continue;
    yield await toBatch(ids);
    ids = [];
  }
  if (ids.length > 0) yield await toBatch(ids);

  async function toBatch(documentIds: readonly string[]): Promise<PreparedBatch> {
    const live = await index.entries(0n, documentIds);
    const contents = [...live].map(([documentId, { contentHash }]) => ({ documentId, contentHash }));
    const sources = await documents.sources(job, contents);
    const batch: PreparedBatch = { documents: [], failures: [], notes: [], wholePaths: [], readBytes: 0, nextFile: 0 };
    for (const [documentId, entry] of live) {
      const document = toPrepared(sources.get(documentId), entry, options);
      if (document === undefined) batch.failures.push(notStored(documentId));
      else batch.documents.push(document);
    }
    return batch;
  }
}

function toPrepared(
  source: DocumentSource | undefined,
  { access }: IndexEntry,
  options: PrepareOptions,
): PreparedDocument | undefined {
  const { chunks } = source ?? {};
  if (source === undefined || chunks === undefined) return undefined;
  const { documentId, placedIn, title, url, language, attributes, updatedAtMs, text } = source;
  const document = {
    documentId,
    origin: { fileIndex: 0, path: documentId, line: 0 },
    ...{ placedIn, title, url, attributes, updatedAtMs, text },
    chunks: chunks.map(({ context, ...chunk }) =>
      context !== undefined && context.by === options.enrichment ? { ...chunk, context } : chunk,
    ),
    language: language as PreparedDocument['language'],
    groups: grantedGroups(access).filter((group) => group !== everyone),
  };
  return { ...document, contentHash: hashDocument(document, options) };
}

function notStored(documentId: string): PreparedFailure {
  return {
    ...{ fileIndex: 0, path: documentId, line: 0, documentId },
    reason: ErrorReason.DOCUMENT_NOT_FOUND,
    message: 'was indexed by an earlier release, without its chunks: upload it again',
  };
}
