import type { Catalog } from './catalog.ts';
import { createTenantIndex, type TenantIndex } from './tenant-index.ts';

/** The tenants' indices of this process. Each is read from the catalog when first used, and forgotten when long unused. */
export interface TenantIndices {
  /** The index of a tenant; `undefined` where it never had a corpus. */
  find(tenant: string): Promise<TenantIndex | undefined>;
  /** The same, for a writer: an empty one where there is none. */
  findOrCreate(tenant: string): Promise<TenantIndex>;
  /** Resolves when no change is under way. */
  settled(): Promise<void>;
}

/** Tenants whose state is kept in memory. */
const maxTenants = 1000;

/** Creates the indices. `recover` finishes, before anyone sees an index, what a crash has cut off. */
export function createTenantIndices(catalog: Catalog, recover: (index: TenantIndex) => Promise<void>): TenantIndices {
  // In order of last use.
  const indices = new Map<string, Promise<TenantIndex>>();
  const settledOf = new WeakMap<Promise<TenantIndex>, TenantIndex>();

  const open = async (tenant: string): Promise<TenantIndex> => {
    const index = await createTenantIndex(catalog, tenant, await catalog.versions.load(tenant));
    await recover(index);
    return index;
  };
  const findOrCreate = (tenant: string): Promise<TenantIndex> => {
    let found = indices.get(tenant);
    if (found === undefined) {
      const opening = open(tenant);
      opening.then(
        (index) => settledOf.set(opening, index),
        () => indices.get(tenant) === opening && indices.delete(tenant),
      );
      found = opening;
    }
    indices.delete(tenant);
    indices.set(tenant, found);
    forgetIdle();
    return found;
  };
  const forgetIdle = () => {
    for (const [tenant, index] of indices) {
      if (indices.size <= maxTenants) return;
      if (settledOf.get(index)?.isIdle) indices.delete(tenant);
    }
  };
  return {
    find: async (tenant) => (indices.has(tenant) || catalog.has(tenant) ? findOrCreate(tenant) : undefined),
    findOrCreate,
    async settled() {
      const all = await Promise.allSettled(indices.values());
      const never = new AbortController().signal;
      await Promise.all(
        all.flatMap((result) =>
          result.status === 'fulfilled' ? [result.value.exclusive(never, async () => {}).catch(() => {})] : [],
        ),
      );
    },
  };
}
