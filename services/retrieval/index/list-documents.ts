import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import type { CountIndexResponse } from '#gen/ragmesh/retrieval/v1/index_writer_pb.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { ListedDocument } from '../catalog/documents.ts';
import { findOrphans } from '../reconcile/reconcile.ts';
import { type DocumentDeps, wellFormedIds } from './documents.ts';
import type { CorpusView } from './index-view.ts';
import { corpusNotFound, requireCorpus, requireVersion, versionNotFound } from './require.ts';
import type { TenantIndex } from './tenant-index.ts';

/** Documents of a page of ListIndexedDocuments. */
const pageSize = 1000;

/** Selects the documents to list. */
export interface DocumentSelection {
  corpus: string;
  /** 0: the live version. */
  version: number;
  /** Whether the list includes documents that only other published versions hold. */
  anyVersion: boolean;
  /** Only these; empty: all. */
  documentIds: readonly string[];
}

/**
 * Yields the documents of a version, one page at a time. A caller without ROLE_SERVICE gets the documents of a published version that
 * it may see.
 */
export async function* listDocuments(
  catalog: Catalog,
  index: TenantIndex,
  principal: Principal,
  { corpus: corpusName, version: wanted, anyVersion, documentIds }: DocumentSelection,
  signal: AbortSignal,
): AsyncIterable<ListedDocument[]> {
  const isService = principal.roles.includes(Role.SERVICE);
  const first = requireCorpus(index.view, corpusName);
  if (!index.view.visibility.isVisible(first, principal)) throw corpusNotFound(corpusName);
  const version = anyVersion ? newestPublished(first) : wanted || first.live;
  if (version === 0) return;
  for (let after = ''; ; ) {
    const corpus = requireCorpus(index.view, corpusName);
    const { publishedMs, ...space } = requireVersion(corpus, version);
    if (publishedMs === undefined && !isService) throw versionNotFound(corpusName, version);
    const page = await catalog.documents.list(
      index.tenant,
      {
        corpusId: corpus.corpusId,
        version,
        withOlder: anyVersion,
        space,
        after,
        documentIds: documentIds.length === 0 ? undefined : wellFormedIds(documentIds),
        aclIds: isService ? undefined : index.view.visibility.aclIdsOf(principal),
        limit: pageSize,
      },
      signal,
    );
    // If the version was dropped meanwhile, the list ends with an error, never as if it were complete.
    requireVersion(requireCorpus(await index.refresh(signal), corpusName), version);
    if (page.length > 0) yield page;
    if (page.length < pageSize) return;
    after = (page.at(-1) as ListedDocument).documentId;
  }
}

const newestPublished = ({ versions }: CorpusView) =>
  versions.findLast(({ publishedMs }) => publishedMs !== undefined)?.version ?? 0;

/** Returns the counts of a version in the catalog and in both stores; 0: the live version. */
export async function countIndex(
  { catalog, vectors, keywords }: DocumentDeps,
  index: TenantIndex,
  corpusName: string,
  wanted: number,
  signal: AbortSignal,
): Promise<Omit<CountIndexResponse, '$typeName' | '$unknown'>> {
  const { tenant } = index;
  const corpus = requireCorpus(index.view, corpusName);
  const { corpusId } = corpus;
  const version = wanted || corpus.live;
  const space = version === 0 ? { model: '', dimensions: 0 } : requireVersion(corpus, version);
  const [counts, vectorCount, keywordCount, vectorOrphans, keywordOrphans] = await Promise.all([
    catalog.contents.count(tenant, corpusId, version, space),
    vectors.count(tenant, corpusId, version, signal),
    keywords.count(tenant, corpusId, version, signal),
    findOrphans(catalog, vectors, tenant, corpusId, signal),
    findOrphans(catalog, keywords, tenant, corpusId, signal),
  ]);
  return {
    version: BigInt(version),
    documentCount: BigInt(counts.documentCount),
    chunkCount: BigInt(counts.chunkCount),
    vectorCount: BigInt(vectorCount),
    keywordCount: BigInt(keywordCount),
    orphanCount: BigInt(vectorOrphans.length + keywordOrphans.length),
  };
}
