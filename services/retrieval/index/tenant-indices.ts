import type { Catalog } from '../catalog/catalog.ts';
import { createTenantIndex, type TenantIndex } from './tenant-index.ts';

/**
 * The tenants' indices of this process. Each is read from the catalog when first used, and forgotten when long unused.
 */
export interface TenantIndices {
  /**
   * The index of a tenant that has a corpus; `undefined` where it has none. It is this tenant's only one for as long as
   * it is not released.
   */
  acquire(tenant: string): Promise<HeldIndex | undefined>;
  /** Runs `work` with the index of a tenant; an empty one where there is none. */
  use<T>(tenant: string, work: (index: TenantIndex) => Promise<T>): Promise<T>;
  /** Resolves when no change is under way. */
  settled(): Promise<void>;
}

/** An index in use. */
export interface HeldIndex {
  index: TenantIndex;
  release(): void;
}

/** Tenants whose state is kept in memory. */
const maxTenants = 1000;

interface Entry {
  opening: Promise<TenantIndex>;
  userCount: number;
}

/** Creates the indices. `recover` finishes, before anyone sees an index, what a crash has cut off. */
export function createTenantIndices(catalog: Catalog, recover: (index: TenantIndex) => Promise<void>): TenantIndices {
  // In order of last use.
  const entries = new Map<string, Entry>();

  const open = async (tenant: string): Promise<TenantIndex> => {
    const index = await createTenantIndex(catalog, tenant, await catalog.versions.load(tenant));
    await recover(index);
    return index;
  };
  const hold = async (tenant: string): Promise<HeldIndex> => {
    const entry = entries.get(tenant) ?? { opening: open(tenant), userCount: 0 };
    entries.delete(tenant);
    entries.set(tenant, entry);
    entry.userCount++;
    forgetIdle();
    try {
      return { index: await entry.opening, release: () => void entry.userCount-- };
    } catch (error) {
      // What could not be read may be read the next time.
      if (entries.get(tenant) === entry) entries.delete(tenant);
      throw error;
    }
  };
  const forgetIdle = () => {
    for (const [tenant, { userCount }] of entries) {
      if (entries.size <= maxTenants) return;
      if (userCount === 0) entries.delete(tenant);
    }
  };
  return {
    acquire: async (tenant) => (entries.has(tenant) || catalog.has(tenant) ? hold(tenant) : undefined),
    async use(tenant, work) {
      const { index, release } = await hold(tenant);
      try {
        return await work(index);
      } finally {
        release();
      }
    },
    async settled() {
      const notAborted = new AbortController().signal;
      const openings = await Promise.allSettled([...entries.values()].map(({ opening }) => opening));
      const opened = openings.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
      await Promise.all(opened.map((index) => index.exclusive(notAborted, async () => {})));
    },
  };
}
