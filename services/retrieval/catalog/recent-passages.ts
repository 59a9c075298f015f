import { LRUCache } from 'lru-cache';
import type { PassageRecord } from './passage-record.ts';

/** The access list of a document, and the versions that have it: `addedIn <= v < removedIn`. */
export interface DocumentAccess {
  aclId: number;
  addedIn: number;
  removedIn: number;
}

/** A passage that is kept. */
export interface RecentPassage {
  readonly record: PassageRecord;
  /** The access of its document, which may change, and the stamp of the tenant's rows before it was read (see CatalogTables). */
  access: DocumentAccess;
  stamp: number | undefined;
}

/**
 * Passages that were read recently. The text of a key never changes, so a copy stays valid. The cache does not check access: the
 * catalog does, for each read.
 */
export interface RecentPassages {
  get(tenant: string, key: number): RecentPassage | undefined;
  keep(tenant: string, passage: RecentPassage): void;
  /** Removes the passages of these documents, which are purged. Its cost is that of what it removes. */
  forget(tenant: string, corpusId: number, documentIds: readonly string[]): void;
  /** Removes all passages of the tenant, because another process has purged some of them. */
  forgetAll(tenant: string): void;
}

/** Approximate bytes of an entry beside its text. */
const overheadBytes = 1024;

/** Creates the cache. It holds at most `maxBytes`. */
export function createRecentPassages(maxBytes: number): RecentPassages {
  /** Names of the passages that are held, by tenant and document. */
  const held = new Map<string, Map<string, Set<string>>>();
  const passages = new LRUCache<string, { tenant: string; passage: RecentPassage }>({
    maxSize: maxBytes,
    sizeCalculation: ({ passage: { record } }) => record.text.length * 2 + overheadBytes,
    dispose: ({ tenant, passage: { record } }, name) => {
      const documents = held.get(tenant);
      const document = documentOf(record.corpusId, record.documentId);
      const names = documents?.get(document);
      names?.delete(name);
      if (names?.size === 0) documents?.delete(document);
      if (documents?.size === 0) held.delete(tenant);
    },
  });
  const nameOf = (tenant: string, key: number) => `${key} ${tenant}`;
  const documentOf = (corpusId: number, documentId: string) => `${corpusId} ${documentId}`;
  const remove = (names: Iterable<string> = []) => {
    for (const name of names) passages.delete(name);
  };
  return {
    get: (tenant, key) => passages.get(nameOf(tenant, key))?.passage,
    keep(tenant, passage) {
      const { record } = passage;
      const name = nameOf(tenant, record.key);
      passages.set(name, { tenant, passage });
      if (!passages.has(name)) return;
      const document = documentOf(record.corpusId, record.documentId);
      const documents = held.get(tenant) ?? new Map<string, Set<string>>();
      held.set(tenant, documents);
      const names = documents.get(document) ?? new Set();
      documents.set(document, names);
      names.add(name);
    },
    forget(tenant, corpusId, documentIds) {
      for (const documentId of documentIds) remove(held.get(tenant)?.get(documentOf(corpusId, documentId)));
    },
    forgetAll(tenant) {
      for (const names of held.get(tenant)?.values() ?? []) remove(names);
    },
  };
}
