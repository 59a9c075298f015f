import type { SourceService } from '#gen/ragmesh/indexer/v1/source_pb.ts';
import type { Logger } from '#kit/base/log.ts';
import type { Metrics } from '#kit/base/metrics/metrics.ts';
import { createAddressGuard } from '#kit/http/guard/guard.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import type { Database } from '#kit/storage/database.ts';
import { engineOf } from '#kit/storage/engine.ts';
import type { IndexerSettings } from '../config.ts';
import { createOpenSource } from './open-source.ts';
import { createAccessStore } from './records/access-store.ts';
import { createEntryStore } from './records/entry-store.ts';
import { createRunStore } from './records/run-store.ts';
import { createSourceStore } from './records/source-store.ts';
import type { SourcesSchema } from './records/source-table.ts';
import type { BatchDeps } from './run/batch.ts';
import { runSource } from './runner.ts';
import { startScheduler } from './scheduler.ts';
import { createSourceMetrics } from './source-metrics.ts';
import { createSourceRpcs } from './source-rpcs.ts';

/** Dependencies of sources. */
export interface SourcesDeps extends Omit<BatchDeps, 'entries'> {
  sourceRecords: Database<SourcesSchema>;
  /** Folder for copies of sources. */
  scratchDir: string;
  /** Name of this process, unique among running ones. */
  owner: string;
  settings: Pick<IndexerSettings, 'sources' | 'leaseMs' | 'maxFileBytes'>;
  metrics: Metrics;
  clock: () => number;
  random: () => number;
  log: Logger;
}

/** Running sources. */
export interface Sources {
  impl: ServiceHandlers<typeof SourceService>;
  /** Reads how long sources have waited, for the metrics. */
  countWaiting(): Promise<void>;
  /** Stops runs, which continue later. */
  close(): Promise<void>;
}

/** Starts sources: their rpcs, and the scheduler that runs them. */
export async function startSources(deps: SourcesDeps): Promise<Sources> {
  const { sourceRecords, settings, clock, owner, log } = deps;
  const { allowedHosts, allowedFolders, secrets, maxRunning } = settings.sources;
  const sources = createSourceStore(sourceRecords, clock, settings.leaseMs);
  const entries = createEntryStore(sourceRecords, sources);
  const runs = createRunStore(sourceRecords, clock);
  const open = createOpenSource({
    guard: createAddressGuard(allowedHosts),
    secrets,
    allowedFolders,
    scratchDir: deps.scratchDir,
    maxBytes: settings.maxFileBytes,
    clock,
  });
  let waitingSinceMs: number | undefined;
  const metrics = createSourceMetrics(deps.metrics, () => waitingSinceMs, clock);
  // One process owns a folder, so every other lease holder is gone. A replica cannot know that of another one.
  if (engineOf(sourceRecords) === 'sqlite') await sources.releaseAll();
  const access = createAccessStore(sources);
  const runner = { ...deps, sources, entries, access, runs, open, metrics, leaseMs: settings.leaseMs };
  const scheduler = startScheduler({
    sources,
    owner,
    maxRunning,
    open,
    log,
    run: (lease, stopping) => runSource(lease, runner, stopping),
  });
  return {
    impl: createSourceRpcs({ ...deps, sources, entries, runs, open, secrets, wake: scheduler.wake }),
    async countWaiting() {
      waitingSinceMs = await sources.waitingSinceMs();
    },
    close: scheduler.close,
  };
}
