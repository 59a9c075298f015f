import { Histogram } from 'prom-client';
import { latencyBuckets, type Metrics } from '#kit/base/metrics.ts';

/** Registers the metrics of retrieval and returns them together with those of the process. */
export function createRetrievalMetrics(metrics: Metrics) {
  const registers = [metrics.registry];
  const own = {
    retrievalLatencyMs: new Histogram({
      name: 'ai_retrieval_latency_ms',
      help: 'Time of a search in an index: vector, keyword, or all',
      labelNames: ['index'],
      buckets: latencyBuckets,
      registers,
    }),
  };
  // A dashboard needs a first sample to compute a rate from.
  for (const index of ['vector', 'keyword', 'all']) own.retrievalLatencyMs.zero({ index });
  return { ...metrics, ...own };
}

/** Metrics of retrieval. */
export type RetrievalMetrics = ReturnType<typeof createRetrievalMetrics>;
