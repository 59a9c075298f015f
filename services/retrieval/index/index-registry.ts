import type { Logger } from '#kit/base/log.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { IndexView } from './index-view.ts';
import { createTenantIndex, type TenantIndex } from './tenant-index.ts';

/** The tenants' indices in this process. An index is loaded from the catalog at its first use, and dropped after long disuse. */
export interface IndexRegistry {
  /**
   * Returns the index of a tenant with a view that is current at the call; `undefined` if the tenant has no corpus. Until it is released,
   * the process has no other index of the tenant.
   */
  acquire(tenant: string, signal: AbortSignal): Promise<IndexHandle | undefined>;
  /** Runs `work` with the index of a tenant; an empty index if the tenant has no corpus. The view may be old outside a change. */
  use<T>(tenant: string, work: (index: TenantIndex) => Promise<T>): Promise<T>;
  /** Returns the views that are in memory, as they are now. */
  views(): IndexView[];
  /** Ends what runs in the background, and resolves when no change is running. Called once, last. */
  idle(): Promise<void>;
}

/** An index in use. */
export interface IndexHandle {
  index: TenantIndex;
  release(): void;
}

/** Tenants whose index stays in memory. */
const maxTenants = 1000;

/** What may be done when something happens to an index. */
export interface RegistryEvents {
  /** An index has been loaded. Nothing waits for what is done; a failure is logged. */
  onOpen?(index: TenantIndex, signal: AbortSignal): Promise<void>;
  /** Readers see another view of a tenant's index. */
  onChange?(tenant: string, view: IndexView): void;
}

interface Entry {
  opening: Promise<TenantIndex>;
  /** Set when it is open. */
  index?: TenantIndex;
  userCount: number;
}

/**
 * Creates the registry. `recover` finishes what a crash has interrupted: before the first use of an index if its catalog belongs to this
 * process, otherwise before a change, so that a search never waits for other replicas.
 */
export function createIndexRegistry(
  catalog: Catalog,
  recover: (index: TenantIndex) => Promise<void>,
  log: Logger,
  { onOpen = async () => {}, onChange = () => {} }: RegistryEvents = {},
): IndexRegistry {
  const { changes } = catalog;
  const closing = new AbortController();
  // In order of last use.
  const entries = new Map<string, Entry>();

  const open = async (tenant: string): Promise<TenantIndex> => {
    const index = await createTenantIndex(catalog, tenant, recover, onChange);
    if (changes.isShared) finishLater(index);
    else await recover(index);
    onOpen(index, closing.signal).catch((error: unknown) => {
      if (closing.signal.aborted) return;
      log.warn({ event: 'stores_not_compared', tenant, err: error }, 'stores not compared');
    });
    return index;
  };
  const hold = async (tenant: string): Promise<IndexHandle> => {
    const entry = entries.get(tenant) ?? { opening: open(tenant), userCount: 0 };
    entries.delete(tenant);
    entries.set(tenant, entry);
    entry.userCount++;
    dropIdle();
    try {
      const index = await entry.opening;
      entry.index = index;
      return { index, release: () => void entry.userCount-- };
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
  /** Carries out what a replica that has ended left in the stores: a change does, even one that changes nothing. */
  const finishLater = (index: TenantIndex) => {
    if (!index.view.isUnfinished) return;
    index
      .exclusive(closing.signal, async () => {})
      .catch((error: unknown) => {
        if (closing.signal.aborted) return;
        log.warn({ event: 'recovery_failed', tenant: index.tenant, err: error }, 'unfinished change remains');
      });
  };
  const follow = async (tenant: string, isPolled: boolean): Promise<void> => {
    const entry = entries.get(tenant);
    if (entry === undefined) return;
    entry.userCount++;
    try {
      const index = await entry.opening;
      await index.refresh(closing.signal);
      // A replica notifies in the middle of a change too; what is unfinished at a poll has most likely been left.
      if (isPolled) finishLater(index);
    } catch (error) {
      // A search reads the state itself; without this the next one only takes longer.
      log.debug({ event: 'index_not_followed', tenant, err: error }, 'index not followed');
    } finally {
      entry.userCount--;
    }
  };
  changes.watch((tenant) => {
    if (closing.signal.aborted) return;
    for (const name of tenant === undefined ? [...entries.keys()] : [tenant]) void follow(name, tenant === undefined);
  });
  return {
    async acquire(tenant, signal) {
      if (!entries.has(tenant) && (await changes.currentState(tenant, signal)) === undefined) return undefined;
      const held = await hold(tenant);
      try {
        await held.index.refresh(signal);
        return held;
      } catch (error) {
        held.release();
        throw error;
      }
    },
    async use(tenant, work) {
      const { index, release } = await hold(tenant);
      try {
        return await work(index);
      } finally {
        release();
      }
    },
    views: () => [...entries.values()].flatMap(({ index }) => (index === undefined ? [] : [index.view])),
    async idle() {
      closing.abort();
      const openings = await Promise.allSettled([...entries.values()].map(({ opening }) => opening));
      const opened = openings.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
      await Promise.all(opened.map((index) => index.settled()));
    },
  };
}
