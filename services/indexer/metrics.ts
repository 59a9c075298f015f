import { Counter, Gauge, Histogram } from 'prom-client';
import type { Metrics } from '#kit/base/metrics/metrics.ts';

/** Registers the metrics of the indexer and returns them together with those of the process. */
export function createIndexerMetrics(metrics: Metrics) {
  const registers = [metrics.registry];
  const own = {
    indexJobBacklog: new Gauge({
      name: 'ai_index_job_backlog',
      help: 'Indexing jobs that wait or run',
      labelNames: ['topic'],
      aggregator: 'max',
      registers,
    }),
    indexJobTotal: new Counter({
      name: 'ragmesh_index_job_total',
      help: 'Indexing jobs that ended, by result',
      labelNames: ['result'],
      registers,
    }),
    gateTotal: new Counter({
      name: 'ragmesh_index_gate_total',
      help: 'Index versions that a gate has checked, by verdict',
      labelNames: ['verdict'],
      registers,
    }),
    heldVersions: new Gauge({
      name: 'ragmesh_index_held_versions',
      help: 'Index versions that wait for the decision of an operator',
      aggregator: 'max',
      registers,
    }),
    batchChunks: new Histogram({
      name: 'ragmesh_index_batch_chunks',
      help: 'Chunks of a write into the index',
      buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024],
      registers,
    }),
    chunkChars: new Histogram({
      name: 'ragmesh_index_chunk_chars',
      help: 'Length of a chunk, in UTF-16 code units',
      buckets: [25, 50, 100, 200, 400, 800, 1600, 4000, 8000],
      registers,
    }),
  };
  own.indexJobBacklog.set({ topic: 'ingest' }, 0);
  own.heldVersions.set(0);
  for (const verdict of ['passed', 'held']) own.gateTotal.inc({ verdict }, 0);
  for (const result of ['succeeded', 'failed', 'cancelled']) own.indexJobTotal.inc({ result }, 0);
  return { ...metrics, ...own };
}

/** Metrics of the indexer. */
export type IndexerMetrics = ReturnType<typeof createIndexerMetrics>;

/** Registers the age of the queue, which reads at each scrape since when its oldest job waits, in milliseconds since 1970. */
export function watchQueueAge(
  { registry }: Metrics,
  waitingSinceMs: () => number | undefined,
  clock: () => number,
): void {
  new Gauge({
    name: 'ragmesh_index_queue_age_ms',
    help: 'Time for which the oldest indexing job has waited; 0 if none waits',
    aggregator: 'max',
    registers: [registry],
    collect() {
      const since = waitingSinceMs();
      this.set(since === undefined ? 0 : Math.max(0, clock() - since));
    },
  });
}
