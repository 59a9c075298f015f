import type { Catalog } from '../catalog/catalog.ts';
import { createTenantIndex, type TenantIndex } from './tenant-index.ts';

/** The tenants' indices in this process. An index is loaded from the catalog at its first use, and dropped after long disuse. */
export interface IndexRegistry {
  /**
   * Returns the index of a tenant; `undefined` if the tenant has no corpus. Until it is released, the process has no other index of
   * the tenant.
   */
  acquire(tenant: string): Promise<IndexHandle | undefined>;
  /** Runs `work` with the index of a tenant; an empty index if the tenant has no corpus. */
  use<T>(tenant: string, work: (index: TenantIndex) => Promise<T>): Promise<T>;
  /** Resolves when no change is running. */
  idle(): Promise<void>;
}

/** An index in use. */
export interface IndexHandle {
  index: TenantIndex;
  release(): void;
}

/** Tenants whose index stays in memory. */
const maxTenants = 1000;

interface Entry {
  opening: Promise<TenantIndex>;
  userCount: number;
}

/** Creates the registry. `recover` finishes what a crash has interrupted, before the first use of an index. */
export function createIndexRegistry(catalog: Catalog, recover: (index: TenantIndex) => Promise<void>): IndexRegistry {
  // In order of last use.
  const entries = new Map<string, Entry>();

  const open = async (tenant: string): Promise<TenantIndex> => {
    const index = await createTenantIndex(catalog, tenant, await catalog.versions.load(tenant));
    await recover(index);
    return index;
  };
  const hold = async (tenant: string): Promise<IndexHandle> => {
    const entry = entries.get(tenant) ?? { opening: open(tenant), userCount: 0 };
    entries.delete(tenant);
    entries.set(tenant, entry);
    entry.userCount++;
    dropIdle();
    try {
      return { index: await entry.opening, release: () => void entry.userCount-- };
    } catch (error) {
      // The next use tries again.
      if (entries.get(tenant) === entry) entries.delete(tenant);
      throw error;
    }
  };
  const dropIdle = () => {
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
    async idle() {
      const notAborted = new AbortController().signal;
      const openings = await Promise.allSettled([...entries.values()].map(({ opening }) => opening));
      const opened = openings.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
      await Promise.all(opened.map((index) => index.exclusive(notAborted, async () => {})));
    },
  };
}
