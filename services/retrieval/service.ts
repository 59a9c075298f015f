import type { IndexAdminService } from '#gen/ragmesh/retrieval/v1/index_admin_pb.ts';
import type { IndexWriterService } from '#gen/ragmesh/retrieval/v1/index_writer_pb.ts';
import type { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import type { SearchLabService } from '#gen/ragmesh/retrieval/v1/search_lab_pb.ts';
import type { ReadinessCheck } from '#kit/host/readiness.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import { applyAccessChanges } from './access/apply-changes.ts';
import type { Catalog } from './catalog/catalog.ts';
import { finishPurges } from './index/documents.ts';
import { createIndexRegistry } from './index/index-registry.ts';
import { createMaintenance } from './index/maintenance.ts';
import { recoverVersions } from './index/versions.ts';
import { watchMissingRows, watchVersions } from './metrics.ts';
import { createMissingRows } from './reconcile/missing-rows.ts';
import { createAdminRpcs } from './rpcs/admin-rpcs.ts';
import type { RetrievalPort } from './rpcs/front.ts';
import { createLabRpcs } from './rpcs/lab-rpcs.ts';
import { createReaderRpcs } from './rpcs/reader-rpcs.ts';
import { createWriterRpcs, type WriterRpcDeps } from './rpcs/writer-rpcs.ts';
import type { ViewAsDeps } from './search/lab/view-as.ts';
import { retrieve, type SearchDeps } from './search/search.ts';
import { type Viewer, viewerOf } from './search/viewer.ts';
import { warmSearches } from './search/warm-up.ts';
import { createShadows } from './trials/shadows.ts';

/** What the service needs. */
export interface RetrievalDeps
  extends Omit<SearchDeps, 'indices' | 'missing'>,
    ViewAsDeps,
    Omit<WriterRpcDeps, 'indices' | 'shadows' | 'startMaintenance' | 'keptVersions'> {
  /** Returns a number from 0 up to 1. */
  random: () => number;
  /** Called when the view of a tenant's index has changed. @default nothing */
  countChange?: (tenant: string) => void;
}

/** The rpcs of all contracts of the service. */
export type RetrievalRpcs = ServiceHandlers<typeof RetrievalService> &
  ServiceHandlers<typeof SearchLabService> &
  ServiceHandlers<typeof IndexAdminService> &
  ServiceHandlers<typeof IndexWriterService>;

/** A running service. */
export interface Retrieval {
  impl: RetrievalRpcs;
  port: RetrievalPort;
  /** Whether the stores hold what the catalog lists. */
  readiness: ReadinessCheck;
  /** Searches for tenants, so that their first searches are as fast as later ones. */
  warmUp(tenants: readonly string[], signal: AbortSignal): Promise<void>;
  /** Resolves when every accepted change is done and nothing runs in the background. */
  close(): Promise<void>;
}

/** Creates the service: one file of rpcs for each contract, over one registry of indices. */
export function createRetrieval(given: RetrievalDeps): Retrieval {
  const { catalog } = given;
  const deps = { ...given, vectors: inTurn(catalog, given.vectors), keywords: inTurn(catalog, given.keywords) };
  const missing = createMissingRows(deps);
  const indices = createIndexRegistry(
    deps.catalog,
    async (index) => {
      await finishPurges(deps, index);
      await recoverVersions(deps, index);
      await applyAccessChanges(deps, index.tenant);
    },
    deps.log,
    {
      onOpen: missing.compare,
      onChange(tenant, view) {
        missing.settle(tenant, view);
        given.countChange?.(tenant);
      },
    },
  );
  watchVersions(deps.metrics, indices.views);
  watchMissingRows(deps.metrics, missing.counts);
  const maintenance = createMaintenance(deps);
  const shadows = createShadows({
    ...{ catalog, indices, metrics: deps.metrics, random: deps.random, log: deps.log },
    async search(request, context) {
      const viewer: Viewer = { ...viewerOf(context.principal), mayName: 'any' };
      for await (const { event } of retrieve({ ...deps, indices, missing }, request, context, viewer)) {
        if (event.case === 'fused') return event.value;
      }
      return undefined;
    },
  });
  const { keptVersions } = deps.settings;
  const closing = new AbortController();
  return {
    impl: {
      ...createReaderRpcs({ ...deps, indices, missing, shadows }),
      ...createLabRpcs({ ...deps, indices, missing }),
      ...createAdminRpcs({ ...deps, indices }),
      ...createWriterRpcs({ ...deps, indices, shadows, keptVersions, startMaintenance: maintenance.start }),
    },
    readiness: missing.readiness,
    port: {
      async revision(tenant) {
        const held = await indices.acquire(tenant, closing.signal);
        held?.release();
        return held?.index.view.revision ?? '';
      },
    },
    warmUp: (tenants, signal) =>
      warmSearches({ ...deps, indices, missing }, createReaderRpcs, tenants, AbortSignal.any([signal, closing.signal])),
    async close() {
      closing.abort();
      maintenance.stop();
      await shadows.close();
      await indices.idle();
      await maintenance.idle();
    },
  };
}

/** Returns a store that changes only while this process has its turn. */
function inTurn<A extends unknown[], S extends { apply(tenant: string, ...rest: A): Promise<void> }>(
  { changes }: Catalog,
  store: S,
): S {
  return {
    ...store,
    async apply(tenant: string, ...rest: A) {
      changes.requireTurn(tenant);
      await store.apply(tenant, ...rest);
    },
  };
}
