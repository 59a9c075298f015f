import { LRUCache } from 'lru-cache';
import type { PassageRecord } from './documents.ts';

/**
 * Passages that were read of late. What a key names never changes, so a copy of it stays right; who may see it is asked of the catalog
 * each time, and not here.
 */
export interface RecentPassages {
  get(tenant: string, key: number): PassageRecord | undefined;
  keep(tenant: string, record: PassageRecord): void;
  /** Lets go of all that the tenant has: some of it was purged. */
  forget(tenant: string): void;
}

/** Bytes of an entry beside its text, about. */
const overheadBytes = 1024;

/** Creates the copies, `maxBytes` of them at most. */
export function createRecentPassages(maxBytes: number): RecentPassages {
  const passages = new LRUCache<string, PassageRecord>({
    maxSize: maxBytes,
    sizeCalculation: ({ text }) => text.length * 2 + overheadBytes,
  });
  const nameOf = (tenant: string, key: number) => `${key} ${tenant}`;
  return {
    get: (tenant, key) => passages.get(nameOf(tenant, key)),
    keep: (tenant, record) => void passages.set(nameOf(tenant, record.key), record),
    forget(tenant) {
      const ending = ` ${tenant}`;
      for (const name of passages.keys()) if (name.endsWith(ending)) passages.delete(name);
    },
  };
}
