import { Histogram } from 'prom-client';
import type { Metrics } from '#kit/base/metrics/metrics.ts';

/** Registers the metrics of embedding. */
export function createEmbeddingMetrics({ registry }: Pick<Metrics, 'registry'>) {
  return {
    batchTexts: new Histogram({
      name: 'ragmesh_embedding_batch_texts',
      help: 'Texts of a call of an embedding model, by purpose: query or document',
      labelNames: ['purpose'],
      buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256],
      registers: [registry],
    }),
  };
}

/** Metrics of embedding. */
export type EmbeddingMetrics = ReturnType<typeof createEmbeddingMetrics>;
