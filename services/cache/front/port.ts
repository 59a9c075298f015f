import type { StoredAnswer } from '../answers/answer-store.ts';
import type { Layers } from '../answers/layers.ts';
import type { Stats, TenantStats } from '../rpcs/stats.ts';
import type { Changes, News } from './changes.ts';

/** An answer, and the position of the tenant's changes before it was read. */
export interface Copied {
  answer: StoredAnswer | undefined;
  position: number;
}

/** What the cache in the owner of a group does for the fronts in its workers. */
export interface CachePort {
  /** Returns what a copy of the tenant's answers that was made at `position` must forget. */
  news(tenant: string, position: number): Promise<News>;
  /** Returns the answer in memory. */
  copy(tenant: string, key: string): Promise<Copied>;
  /** Adds what a front has served. */
  count(tenant: string, served: TenantStats): Promise<void>;
}

/** Creates the port. */
export function createCachePort(layers: Layers, changes: Changes, stats: Stats): CachePort {
  return {
    news: async (tenant, position) => changes.since(tenant, position),
    async copy(tenant, key) {
      const position = changes.position(tenant);
      return { answer: (await layers.findInMemory(tenant, key))?.answer, position };
    },
    async count(tenant, served) {
      stats.add(tenant, served);
    },
  };
}
