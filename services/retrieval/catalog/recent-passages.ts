import { LRUCache } from 'lru-cache';
import type { PassageRecord } from './passage-record.ts';

/**
 * Texts of passages that were read recently. The passage of a key never changes, so a copy stays valid. The cache does not check
 * access: the catalog does, for each read.
 */
export interface RecentPassages {
  get(tenant: string, key: number): PassageRecord | undefined;
  keep(tenant: string, record: PassageRecord): void;
  /** Removes all passages of the tenant, because some of them were purged. */
  forget(tenant: string): void;
}

/** Approximate bytes of an entry beside its text. */
const overheadBytes = 1024;

/** Creates the cache. It holds at most `maxBytes`. */
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
