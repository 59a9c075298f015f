import { Gauge } from 'prom-client';
import type { Metrics } from '#kit/base/metrics.ts';

/** Registers the metrics of the indexer and returns them together with those of the process. */
export function createIndexerMetrics(metrics: Metrics) {
  const registers = [metrics.registry];
  const own = {
    indexJobBacklog: new Gauge({
      name: 'ai_index_job_backlog',
      help: 'Indexing jobs that wait or run',
      labelNames: ['topic'],
      registers,
    }),
  };
  own.indexJobBacklog.set({ topic: 'ingest' }, 0);
  return { ...metrics, ...own };
}

/** Metrics of the indexer. */
export type IndexerMetrics = ReturnType<typeof createIndexerMetrics>;
