import type { IndexDocument } from '#gen/ragmesh/retrieval/v1/index_writer_pb.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { KeywordStore } from '../stores/keyword-store.ts';
import type { VectorStore } from '../stores/vector-store.ts';
import { documentsToRows } from './document-rows.ts';
import { requireBuilding, requireCorpus, requireVersion, revisionOf } from './require.ts';
import type { TenantIndex } from './tenant-index.ts';

// Writes of documents. The catalog is first with an addition, so that no store has a row that the catalog does not know. A document is
// complete when both stores have it, and a version with incomplete documents is never published.

/** What the writes of documents need. */
export interface DocumentDeps {
  catalog: Catalog;
  vectors: VectorStore;
  keywords: KeywordStore;
}

/** The outcome of a purge. */
export interface PurgeResult {
  documentCount: number;
  chunkCount: number;
  revision: string;
}

/** Writes a batch into a version that is being built. Returns its size when it is durable. */
export async function writeDocuments(
  { catalog, vectors, keywords }: DocumentDeps,
  index: TenantIndex,
  corpusName: string,
  wanted: number,
  documents: readonly IndexDocument[],
): Promise<{ documentCount: number; chunkCount: number }> {
  const { tenant } = index;
  const corpus = requireCorpus(index.view, corpusName);
  const version = requireVersion(corpus, wanted);
  requireBuilding(version);
  const { corpusId } = corpus;
  const {
    documentIds,
    documents: records,
    vectorRows,
    keywordRows,
  } = await documentsToRows(documents, version.dimensions, index);
  await catalog.documents.replace(tenant, corpusId, wanted, version, records);
  const change = { kind: 'replace', version: wanted, documentIds } as const;
  await Promise.all([
    vectors.apply(tenant, corpusId, version, { ...change, rows: vectorRows }),
    keywords.apply(tenant, corpusId, { ...change, rows: keywordRows }),
  ]);
  await catalog.documents.confirm(tenant, corpusId, wanted, documentIds);
  return { documentCount: documentIds.length, chunkCount: vectorRows.length };
}

/** Takes documents out of a version that is being built. Returns how many of them it held. */
export async function removeDocuments(
  { catalog, vectors, keywords }: DocumentDeps,
  index: TenantIndex,
  corpusName: string,
  wanted: number,
  given: readonly string[],
): Promise<number> {
  const { tenant } = index;
  const corpus = requireCorpus(index.view, corpusName);
  requireBuilding(requireVersion(corpus, wanted));
  const { corpusId } = corpus;
  const documentIds = wellFormedIds(given);
  const documentCount = await catalog.documents.countDocuments(tenant, corpusId, wanted, documentIds);
  // The catalog is last: a removal that fails in between is still to be done, and a second one is harmless.
  const change = { kind: 'replace', version: wanted, documentIds, rows: [] } as const;
  await Promise.all([vectors.apply(tenant, corpusId, undefined, change), keywords.apply(tenant, corpusId, change)]);
  await catalog.documents.remove(tenant, corpusId, wanted, documentIds);
  return documentCount;
}

/** Deletes documents from every version. */
export async function purgeDocuments(
  deps: DocumentDeps,
  index: TenantIndex,
  corpusName: string,
  given: readonly string[],
): Promise<PurgeResult> {
  const { tenant } = index;
  const { corpusId } = requireCorpus(index.view, corpusName);
  const documentIds = wellFormedIds(given);
  const { documentCount, chunkCount } = await deps.catalog.documents.findAnywhere(tenant, corpusId, documentIds);
  if (documentCount > 0) await deps.catalog.documents.beginPurge(tenant, corpusId, documentIds);
  // Also if the catalog has none of them: an earlier purge may have been interrupted after it.
  await index.reload();
  await finishPurges(deps, index);
  return { documentCount, chunkCount, revision: revisionOf(index.view, corpusName) };
}

/** Carries out in the stores every purge of the view. Belongs to a change, whose view is that of the catalog. */
export async function finishPurges({ catalog, vectors, keywords }: DocumentDeps, index: TenantIndex): Promise<void> {
  const { tenant, view } = index;
  const { purges } = view;
  for (const [corpusId, recorded] of Map.groupBy(purges, (purge) => purge.corpusId)) {
    const documentIds = recorded.map(({ documentId }) => documentId);
    const change = { kind: 'purge', documentIds } as const;
    await Promise.all([vectors.apply(tenant, corpusId, undefined, change), keywords.apply(tenant, corpusId, change)]);
    await catalog.documents.endPurge(tenant, corpusId, documentIds);
  }
  if (purges.length > 0) await index.reload();
}

/** Returns the ids as well-formed UTF-16, each once. */
export function wellFormedIds(ids: readonly string[]): string[] {
  return [...new Set(ids.map((id) => id.toWellFormed()))];
}
