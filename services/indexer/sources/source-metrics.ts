import { Counter, Gauge } from 'prom-client';
import type { Metrics } from '#kit/base/metrics/metrics.ts';
import type { RunCounts } from './run/counts.ts';

/** Counts what sources do. */
export type SourceMetrics = ReturnType<typeof createSourceMetrics>;

/** Registers the metrics of sources. `waitingSinceMs`: since when a source is due that no replica runs. */
export function createSourceMetrics(
  { registry }: Metrics,
  waitingSinceMs: () => number | undefined,
  clock: () => number,
) {
  const registers = [registry];
  const runTotal = new Counter({
    name: 'ragmesh_source_run_total',
    help: 'Runs of sources that ended, by adapter and result',
    labelNames: ['adapter', 'result'],
    registers,
  });
  const entryTotal = new Counter({
    name: 'ragmesh_source_entry_total',
    help: 'Entries of sources that runs have changed, removed, held back from removal or could not read',
    labelNames: ['adapter', 'result'],
    registers,
  });
  new Gauge({
    name: 'ragmesh_source_delay_ms',
    help: 'Time for which the source that is due longest has waited for a replica; 0 if none waits',
    aggregator: 'max',
    registers,
    collect() {
      const since = waitingSinceMs();
      this.set(since === undefined ? 0 : Math.max(0, clock() - since));
    },
  });
  return {
    /** Counts a run. `counts`: of what it did; `undefined` for a dry run. */
    ended(adapter: string, result: 'succeeded' | 'failed' | 'stopped', counts: RunCounts | undefined): void {
      runTotal.inc({ adapter, result });
      if (counts === undefined) return;
      entryTotal.inc({ adapter, result: 'changed' }, counts.changedCount);
      entryTotal.inc({ adapter, result: 'removed' }, counts.removedCount);
      entryTotal.inc({ adapter, result: 'held' }, counts.heldCount);
      entryTotal.inc({ adapter, result: 'failed' }, counts.failedCount);
    },
  };
}
