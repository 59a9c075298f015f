import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import type { CountIndexResponse, IndexDocument } from '#gen/ragmesh/retrieval/v1/index_writer_pb.ts';
import type { ListedDocument } from '../catalog/documents.ts';
import { prepareBatch } from './document-rows.ts';
import { findOrphans } from './reconcile.ts';
import type { TenantIndex } from './tenant-index.ts';
import { type CorpusState, isVisible } from './tenant-state.ts';
import {
  corpusNotFound,
  corpusOf,
  type IndexParts,
  requireBuilding,
  revisionOf,
  versionNotFound,
  versionOf,
} from './versions.ts';

/** Documents of a page of ListIndexedDocuments. */
const pageSize = 1000;

/** What was purged. */
export interface Purged {
  documentCount: number;
  chunkCount: number;
  revision: string;
}

/** Which documents to list. */
export interface Listing {
  corpus: string;
  /** 0: the live one. */
  version: number;
  /** Whether documents that only other published versions hold are listed too. */
  anyVersion: boolean;
  /** Only these; empty: all. */
  documentIds: readonly string[];
}

/**
 * Documents of versions. The catalog comes first with every write, so that no store has a row that it does not know; a
 * document is complete once both stores have it, and a version with incomplete documents is never published.
 */
export function createDocuments({ catalog, vectors, keywords }: IndexParts) {
  const { documents: records } = catalog;

  /** Carries out every purge that the catalog has noted. */
  const finishPurges = async ({ tenant, purgedKeys }: TenantIndex) => {
    const { purges } = await catalog.versions.load(tenant);
    const byCorpus = Map.groupBy(purges, ({ corpusId }) => corpusId);
    for (const [corpusId, noted] of byCorpus) {
      const documentIds = noted.map(({ documentId }) => documentId);
      const change = { kind: 'purge', documentIds } as const;
      await Promise.all([vectors.apply(tenant, corpusId, undefined, change), keywords.apply(tenant, corpusId, change)]);
      await records.endPurge(tenant, corpusId, documentIds);
    }
    purgedKeys.clear();
  };

  return {
    finishPurges,

    /** Writes a batch into a version that is being built. Resolves when it is durable. */
    async write(
      index: TenantIndex,
      corpusName: string,
      wanted: number,
      documents: readonly IndexDocument[],
    ): Promise<{ documentCount: number; chunkCount: number }> {
      const { tenant } = index;
      const corpus = corpusOf(index.state.corpora, corpusName);
      const version = versionOf(corpus, wanted);
      requireBuilding(version);
      const batch = prepareBatch(documents, version.dimensions, index);
      const { corpusId } = corpus;
      const { documentIds, vectorRows, keywordRows } = batch;
      await records.replace(tenant, corpusId, wanted, version, batch.documents);
      const change = { kind: 'replace', version: wanted, documentIds } as const;
      await Promise.all([
        vectors.apply(tenant, corpusId, version, { ...change, rows: vectorRows }),
        keywords.apply(tenant, corpusId, { ...change, rows: keywordRows }),
      ]);
      await records.confirm(tenant, corpusId, wanted, documentIds);
      return { documentCount: documentIds.length, chunkCount: vectorRows.length };
    },

    /** Leaves documents out of a version that is being built; says how many it held. */
    async remove(index: TenantIndex, corpusName: string, wanted: number, given: readonly string[]): Promise<number> {
      const { tenant } = index;
      const corpus = corpusOf(index.state.corpora, corpusName);
      requireBuilding(versionOf(corpus, wanted));
      const { corpusId } = corpus;
      const documentIds = wellFormed(given);
      const documentCount = await records.countDocuments(tenant, corpusId, wanted, documentIds);
      // Last in the catalog: a removal that fails half-way is still to be done, and doing it again is harmless.
      const change = { kind: 'replace', version: wanted, documentIds, rows: [] } as const;
      await Promise.all([vectors.apply(tenant, corpusId, undefined, change), keywords.apply(tenant, corpusId, change)]);
      await records.remove(tenant, corpusId, wanted, documentIds);
      return documentCount;
    },

    /** Deletes documents from every version. */
    async purge(index: TenantIndex, corpusName: string, given: readonly string[]): Promise<Purged> {
      const { tenant } = index;
      const { corpusId } = corpusOf(index.state.corpora, corpusName);
      const documentIds = wellFormed(given);
      const { documentCount, keys } = await records.findAnywhere(tenant, corpusId, documentIds);
      if (documentCount > 0) {
        await records.beginPurge(tenant, corpusId, documentIds);
        for (const key of keys) index.purgedKeys.add(key);
        await index.reload();
      }
      await finishPurges(index);
      return { documentCount, chunkCount: keys.length, revision: revisionOf(index.state, corpusName) };
    },

    /**
     * Documents of a version, a page at a time; without ROLE_SERVICE those of a published one that the caller may see.
     */
    async *list(
      index: TenantIndex,
      principal: Principal,
      { corpus: corpusName, version: wanted, anyVersion, documentIds }: Listing,
      signal: AbortSignal,
    ): AsyncIterable<ListedDocument[]> {
      const isService = principal.roles.includes(Role.SERVICE);
      const first = corpusOf(index.state.corpora, corpusName);
      if (!isVisible(index.state, first, principal)) throw corpusNotFound(corpusName);
      const version = anyVersion ? newestPublished(first) : wanted || first.live;
      if (version === 0) return;
      for (let after = ''; ; ) {
        // A version that was dropped meanwhile ends the list with an error, never as if it had no more.
        const corpus = corpusOf(index.state.corpora, corpusName);
        const { publishedMs, ...space } = versionOf(corpus, version);
        if (publishedMs === undefined && !isService) throw versionNotFound(corpusName, version);
        const page = await records.list(
          index.tenant,
          {
            corpusId: corpus.corpusId,
            version,
            withOlder: anyVersion,
            space,
            after,
            documentIds: documentIds.length === 0 ? undefined : wellFormed(documentIds),
            aclIds: isService ? undefined : index.state.aclIdsOf(principal),
            limit: pageSize,
          },
          signal,
        );
        if (page.length > 0) yield page;
        if (page.length < pageSize) return;
        after = (page.at(-1) as ListedDocument).documentId;
      }
    },

    /** Counts of a version in the catalog and in the stores. */
    async count(
      index: TenantIndex,
      corpusName: string,
      wanted: number,
      signal: AbortSignal,
    ): Promise<Omit<CountIndexResponse, '$typeName' | '$unknown'>> {
      const { tenant } = index;
      const corpus = corpusOf(index.state.corpora, corpusName);
      const { corpusId } = corpus;
      const number = wanted || corpus.live;
      const space = number === 0 ? { model: '', dimensions: 0 } : versionOf(corpus, number);
      const [counts, vectorCount, keywordCount, vectorOrphans, keywordOrphans] = await Promise.all([
        records.count(tenant, corpusId, number, space),
        vectors.count(tenant, corpusId, number, signal),
        keywords.count(tenant, corpusId, number, signal),
        findOrphans(catalog, vectors, tenant, corpusId, signal),
        findOrphans(catalog, keywords, tenant, corpusId, signal),
      ]);
      return {
        version: BigInt(number),
        documentCount: BigInt(counts.documentCount),
        chunkCount: BigInt(counts.chunkCount),
        vectorCount: BigInt(vectorCount),
        keywordCount: BigInt(keywordCount),
        orphanCount: BigInt(vectorOrphans.length + keywordOrphans.length),
      };
    },
  };
}

/** Documents of versions. */
export type Documents = ReturnType<typeof createDocuments>;

const newestPublished = ({ versions }: CorpusState) =>
  versions.findLast(({ publishedMs }) => publishedMs !== undefined)?.version ?? 0;

const wellFormed = (ids: readonly string[]) => [...new Set(ids.map((id) => id.toWellFormed()))];
