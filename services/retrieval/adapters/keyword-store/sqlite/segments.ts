import { LRUCache } from 'lru-cache';
import type { TenantFiles } from '../../../sqlite/tenant-files.ts';

/** Merges the segments of the FTS5 index: with fewer of them every search is faster. */
export interface Segments {
  /** Records that rows of the tenant have changed. */
  noteChange(tenant: string, changedCount: number): void;
  /** Merges segments in small steps, until nothing is left to merge or `signal` aborts. */
  merge(tenant: string, signal: AbortSignal): Promise<void>;
}

/** Pages that one step may write, so that other writers get their turn. */
const mergePages = 500;

/** Share of a tenant's rows that must have changed before the whole index is merged into one segment. */
const maxUnmerged = 0.2;

/** Creates the merging over the tenants' files. */
export function createSegments(files: TenantFiles): Segments {
  // Rows that have changed since the index was one segment, by tenant.
  const unmerged = new LRUCache<string, number>({ max: 1000 });
  return {
    noteChange(tenant, changedCount) {
      unmerged.set(tenant, (unmerged.get(tenant) ?? 0) + changedCount);
    },
    async merge(tenant, signal) {
      const [row] = await files.read(
        tenant,
        { sql: 'SELECT sum(row_count) AS count FROM corpus_size', params: [] },
        signal,
      );
      const isWhole = (unmerged.get(tenant) ?? 0) > Number(row?.count ?? 0) * maxUnmerged;
      if (isWhole) unmerged.set(tenant, 0);
      // FTS5: a negative number of pages includes all segments in the merge, a positive one only levels with too many.
      let pages = isWhole ? -mergePages : mergePages;
      for (let before = -1, after = 1; after - before >= 2 && !signal.aborted; pages = mergePages) {
        const changes = 'SELECT total_changes() AS count';
        const results = await files.write(tenant, [
          { sql: changes, params: [] },
          { sql: "INSERT INTO chunk_text(chunk_text, rank) VALUES ('merge', ?)", params: [pages] },
          { sql: changes, params: [] },
        ]);
        before = Number(results[0]?.rows[0]?.count);
        after = Number(results[2]?.rows[0]?.count);
      }
    },
  };
}
