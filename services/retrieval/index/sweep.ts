import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { policyOf } from '#kit/rpc/policy.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { KeywordStore } from '../stores/keyword-store.ts';
import type { VectorStore } from '../stores/vector-store.ts';
import type { CorpusView } from './index-view.ts';
import type { TenantIndex } from './tenant-index.ts';

/** What {@link sweep} needs. */
export interface SweepDeps {
  catalog: Catalog;
  vectors: VectorStore;
  keywords: KeywordStore;
}

/** The contract's limit for a search. No search that may still read a dropped version runs longer. */
export const longestReadMs = policyOf(RetrievalService.method.retrieve).timeoutMs;

/** Deletes from the stores and the catalog all that belongs to no version of the corpus. */
export async function sweep({ catalog, vectors, keywords }: SweepDeps, index: TenantIndex, corpus: CorpusView) {
  const { corpusId, versions, lastVersion } = corpus;
  const oldest = versions[0]?.version ?? 0;
  const newest = versions.at(-1)?.version ?? 0;
  const change = { kind: 'retain', oldest, newest } as const;
  await Promise.all([
    vectors.apply(index.tenant, corpusId, undefined, change),
    keywords.apply(index.tenant, corpusId, change),
  ]);
  // The catalog is last, so that no store has a row whose key the catalog may use again.
  await catalog.versions.sweep(index.tenant, corpusId, oldest, newest, lastVersion > newest);
}
