import type { Logger } from '#kit/base/log.ts';
import type { KeywordStore } from '../stores/keyword-store.ts';
import type { VectorStore } from '../stores/vector-store.ts';

/** What {@link createMaintenance} needs. */
export interface MaintenanceDeps {
  vectors: VectorStore;
  keywords: KeywordStore;
  log: Logger;
}

/** Maintenance of the stores after a publish, in the background. */
export interface Maintenance {
  /** Starts the maintenance of a corpus. A failure is logged. */
  start(tenant: string, corpusId: number): void;
  /** Aborts the maintenance that is running, and all that starts later. */
  stop(): void;
  /** Resolves when no maintenance is running. */
  idle(): Promise<void>;
}

/** Creates the maintenance of both stores. */
export function createMaintenance({ vectors, keywords, log }: MaintenanceDeps): Maintenance {
  const closing = new AbortController();
  const running = new Set<Promise<void>>();
  return {
    start(tenant, corpusId) {
      const stores = [vectors, keywords].map((store) => store.maintain(tenant, corpusId, closing.signal));
      const work = Promise.all(stores)
        .then(
          () => {},
          (error) => log.warn({ event: 'maintenance_failed', tenant, err: error }, 'store maintenance failed'),
        )
        .finally(() => running.delete(work));
      running.add(work);
    },
    stop: () => closing.abort(),
    async idle() {
      await Promise.all(running);
    },
  };
}
