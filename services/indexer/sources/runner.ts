import { SourceRunState } from '#gen/ragmesh/indexer/v1/source_pb.ts';
import type { Logger } from '#kit/base/log.ts';
import { withSpan } from '#kit/base/span.ts';
import { sleep } from '#kit/base/streams.ts';
import type { OpenSource } from './open-source.ts';
import { problemOf } from './problem.ts';
import type { EntryStore } from './records/entry-store.ts';
import type { RunStore } from './records/run-store.ts';
import {
  type SourceLease,
  SourceLeaseLostError,
  type SourceStore,
  type SourceTransaction,
} from './records/source-store.ts';
import { noCounts } from './run/counts.ts';
import { dryRun } from './run/dry-run.ts';
import { type SyncDeps, type SyncRun, sync } from './run/sync.ts';
import { nextRunAtMs } from './schedule.ts';
import type { SourceMetrics } from './source-metrics.ts';

/** What running sources needs. */
export interface RunnerDeps extends Omit<SyncDeps, 'sources'> {
  sources: SourceStore;
  entries: EntryStore;
  runs: RunStore;
  open: OpenSource;
  leaseMs: number;
  random: () => number;
  metrics: SourceMetrics;
  log: Logger;
}

type Report = (state: SourceRunState, error?: string, tx?: SourceTransaction) => Promise<void>;

/** The source was paused while it ran. */
class PausedError extends Error {
  override readonly name = 'PausedError';
}

/** Runs a leased source once and records how it ended. Never rejects. `stopping` ends it early. */
export async function runSource(lease: SourceLease, deps: RunnerDeps, stopping: AbortSignal): Promise<void> {
  const { source, requested } = lease;
  const { sourceId, tenant, settings } = source;
  const log = deps.log.child({ source_id: sourceId, tenant, corpus: settings.corpus, adapter: settings.adapter });
  const isDryRun = requested === 'dry';
  const abort = new AbortController();
  const stop = () => abort.abort(stopping.reason);
  stopping.addEventListener('abort', stop, { once: true });
  const over = new AbortController();
  const counts = noCounts();
  const jobIds: string[] = [];
  const report: Report = (state, error = '', tx) => deps.runs.report(lease, { state, counts, jobIds, error }, tx);
  const renewing = renew(lease, deps, abort, over.signal, () => report(SourceRunState.RUNNING));
  try {
    if (stopping.aborted) stop();
    await deps.runs.begin(lease, deps.newId(), isDryRun, counts);
    await withSpan('indexer.source', { 'ragmesh.source': settings.adapter }, async () => {
      const place = await deps.open(tenant, sourceId, settings);
      try {
        const run: SyncRun = { lease, source: place, counts, jobIds, signal: abort.signal };
        await (isDryRun ? dryRun(run, deps.entries) : sync(run, deps));
      } finally {
        await place.close();
      }
    });
    abort.signal.throwIfAborted();
    over.abort();
    await renewing;
    const nextAtMs = nextRunAtMs(settings.schedule, sourceId, deps.clock());
    // A dry run is no run of the schedule.
    const end = isDryRun ? ({ kind: 'counted' } as const) : ({ kind: 'succeeded', nextRunAtMs: nextAtMs } as const);
    await deps.sources.end(lease, end, (tx) => report(SourceRunState.SUCCEEDED, '', tx));
    deps.metrics.ended(settings.adapter, 'succeeded', isDryRun ? undefined : counts);
    const { failures: _, ...figures } = counts;
    log.info({ event: 'source_run_ended', ...figures, dry_run: isDryRun }, 'source run ended');
  } catch (thrown) {
    over.abort();
    await renewing;
    await fail(lease, abort.signal.aborted ? abort.signal.reason : thrown, deps, log, report);
    deps.metrics.ended(settings.adapter, stopping.aborted ? 'stopped' : 'failed', isDryRun ? undefined : counts);
  } finally {
    stopping.removeEventListener('abort', stop);
  }
}

/** Records a run that has not reached its end. */
async function fail(
  lease: SourceLease,
  error: unknown,
  { sources, clock, random }: RunnerDeps,
  log: Logger,
  report: Report,
): Promise<void> {
  if (error instanceof SourceLeaseLostError) {
    log.warn({ event: 'source_lease_lost' }, 'source lease lost to another replica');
    return;
  }
  const isStopped = error instanceof PausedError || error instanceof RunnerStoppedError;
  try {
    const nowMs = clock();
    if (isStopped) {
      await sources.end(lease, { kind: 'stopped', nowMs }, (tx) => report(SourceRunState.STOPPED, '', tx));
      return;
    }
    const { message, retryAfterMs } = problemOf(error, lease.source.settings.adapter, nowMs);
    log.warn({ event: 'source_run_failed', err: error }, 'source run failed');
    const failed = { kind: 'failed', nowMs, error: message, retryAfterMs, chance: random() } as const;
    const end = lease.requested === 'dry' ? ({ kind: 'counted' } as const) : failed;
    await sources.end(lease, end, (tx) => report(SourceRunState.FAILED, message, tx));
  } catch (failure) {
    // The lease expires, and the next run continues from the records.
    log.warn({ event: 'source_outcome_unsaved', err: failure }, 'source outcome not saved');
  }
}

/** The process ends: runs stop, and continue later. */
export class RunnerStoppedError extends Error {
  override readonly name = 'RunnerStoppedError';
}

/** Renews the lease and reports at an interval. Aborts the run if the lease is lost or the source was paused. */
async function renew(
  lease: SourceLease,
  { sources, leaseMs, clock, log }: RunnerDeps,
  abort: AbortController,
  over: AbortSignal,
  report: () => Promise<void>,
): Promise<void> {
  let renewedAt = clock();
  for (;;) {
    await sleep(leaseMs / 4, over).catch(() => {});
    if (over.aborted || abort.signal.aborted) return;
    try {
      const { state } = await sources.renew(lease);
      renewedAt = clock();
      if (state.isPaused && lease.requested !== 'dry') abort.abort(new PausedError('the source was paused'));
      await report();
    } catch (error) {
      const isLost = error instanceof SourceLeaseLostError || clock() - renewedAt > leaseMs;
      if (isLost)
        abort.abort(error instanceof SourceLeaseLostError ? error : new SourceLeaseLostError('lease expired'));
      else log.warn({ event: 'source_renewal_retry', err: error }, 'source lease not renewed, retrying');
    }
  }
}
