import type { Logger } from '#kit/base/log.ts';
import type { Catalog } from './catalog.ts';

/** The catalog in use. A request that began with an older one ends with it, and only then the older one closes. */
export interface CatalogHolder {
  readonly current: Catalog;
  /** The current catalog for one request; `release` once the request is over. */
  lease(): { catalog: Catalog; release(): void };
  /** From now on requests begin with this one. */
  swap(next: Catalog): void;
  /** Closes the current catalog, and waits for the older ones that close already. */
  close(): Promise<void>;
}

interface Held {
  catalog: Catalog;
  leaseCount: number;
}

/** Creates the holder of a first catalog. */
export function createCatalogHolder(first: Catalog, log: Logger): CatalogHolder {
  let held: Held = { catalog: first, leaseCount: 0 };
  const closing = new Set<Promise<void>>();
  const close = ({ catalog }: Held) => {
    const closed = catalog
      .close()
      .catch((error) => log.error({ err: error }, 'models of an old configuration did not close'));
    closing.add(closed);
    void closed.finally(() => closing.delete(closed));
  };
  return {
    get current() {
      return held.catalog;
    },
    lease() {
      const mine = held;
      mine.leaseCount += 1;
      return {
        catalog: mine.catalog,
        release() {
          mine.leaseCount -= 1;
          if (mine !== held && mine.leaseCount === 0) close(mine);
        },
      };
    },
    swap(next) {
      const old = held;
      held = { catalog: next, leaseCount: 0 };
      if (old.leaseCount === 0) close(old);
    },
    async close() {
      close(held);
      await Promise.all(closing);
    },
  };
}
