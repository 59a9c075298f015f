import type { Logger } from '#kit/base/log.ts';
import type { Catalog } from './catalog.ts';

/** Holds the current catalog. A request keeps the catalog that it began with, which closes after its last request. */
export interface CatalogHolder {
  readonly current: Catalog;
  /** Returns the current catalog for one request, which calls `release` when it is over. */
  lease(): { catalog: Catalog; release(): void };
  /** Makes `next` the catalog of new requests. */
  swap(next: Catalog): void;
  /** Closes the current catalog, and waits for older ones that are closing. */
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
      .catch((error) => log.error({ err: error, event: 'model_close_failed' }, 'closing old models failed'));
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
