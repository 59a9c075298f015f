import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { failedPrecondition } from '#kit/base/errors.ts';
import type { Logger } from '#kit/base/log.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { VersionCounts } from '../catalog/version-contents.ts';
import type { VersionRecord } from '../catalog/versions.ts';
import type { KeywordStore } from '../stores/keyword-store.ts';
import type { VectorStore } from '../stores/vector-store.ts';

/** What {@link reconcile} needs. */
export interface ReconcileDeps {
  catalog: Catalog;
  vectors: VectorStore;
  keywords: KeywordStore;
  log: Logger;
}

/** Keys of one comparison. */
const pageSize = 5000;

const notAborted = new AbortController().signal;

/**
 * Repairs the stores if their counts of a version differ from the catalog's, for example after a store was lost or restored from an
 * older copy. Deletes rows that the catalog does not know, and marks documents that lack rows as incomplete, so that the next build
 * writes them again. Returns the catalog's counts. Throws FAILED_PRECONDITION if the counts still differ.
 */
export async function reconcile(
  { catalog, vectors, keywords, log }: ReconcileDeps,
  tenant: string,
  corpusId: number,
  version: VersionRecord,
): Promise<VersionCounts> {
  const counted = () => catalog.contents.count(tenant, corpusId, version.version, version);
  const counts = await counted();
  const { chunkCount } = counts;
  let isRepaired = false;
  for (const [name, store] of [
    ['vector store', vectors],
    ['keyword store', keywords],
  ] as const) {
    const count = () => store.count(tenant, corpusId, version.version, notAborted);
    if ((await count()) === chunkCount) continue;
    isRepaired = true;
    const orphans = await findOrphans(catalog, store, tenant, corpusId, notAborted);
    for (let start = 0; start < orphans.length; start += pageSize) {
      const forget = { kind: 'forget', keys: orphans.slice(start, start + pageSize) } as const;
      if (store === vectors) await vectors.apply(tenant, corpusId, undefined, forget);
      else await keywords.apply(tenant, corpusId, forget);
    }
    const missingCount = await markMissing(catalog, store, tenant, corpusId, version.version);
    log.warn(
      { event: 'store_repaired', tenant, corpusId, store: name, orphanCount: orphans.length, missingCount },
      'store repaired',
    );
    const held = await count();
    if (missingCount === 0 && held !== chunkCount) {
      const message = `the ${name} holds ${held} of ${chunkCount} chunks of version ${version.version}`;
      const metadata = { state: 'building', version: String(version.version) };
      throw failedPrecondition(ErrorReason.VERSION_STATE, `${message}: abandon it and build again`, { metadata });
    }
  }
  return isRepaired ? counted() : counts;
}

/** Returns the keys of a store's rows that no chunk of the catalog has. */
export async function findOrphans(
  catalog: Catalog,
  store: VectorStore | KeywordStore,
  tenant: string,
  corpusId: number,
  signal: AbortSignal,
): Promise<number[]> {
  const orphans: number[] = [];
  for await (const keys of keysOf(store, tenant, corpusId, signal)) {
    orphans.push(...(await catalog.contents.findUnknownKeys(tenant, keys, signal)));
  }
  return orphans;
}

/** Marks the documents that lack rows in a store as incomplete. Returns how many chunks are missing. */
export async function markMissing(
  catalog: Catalog,
  store: VectorStore | KeywordStore,
  tenant: string,
  corpusId: number,
  version: number,
): Promise<number> {
  const held = new Set<number>();
  for await (const keys of keysOf(store, tenant, corpusId, notAborted)) for (const key of keys) held.add(key);
  let missingCount = 0;
  for (let after = 0; ; ) {
    const keys = await catalog.contents.listChunkKeys(tenant, corpusId, version, after, pageSize);
    const missing = keys.filter((key) => !held.has(key));
    if (missing.length > 0) await catalog.contents.markIncomplete(tenant, missing);
    missingCount += missing.length;
    if (keys.length < pageSize) return missingCount;
    after = keys.at(-1) as number;
  }
}

async function* keysOf(
  store: VectorStore | KeywordStore,
  tenant: string,
  corpusId: number,
  signal: AbortSignal,
): AsyncIterable<number[]> {
  for (let after = 0; ; ) {
    const keys = await store.listKeys(tenant, corpusId, after, pageSize, signal);
    if (keys.length > 0) yield keys;
    if (keys.length < pageSize) return;
    after = keys.at(-1) as number;
  }
}
