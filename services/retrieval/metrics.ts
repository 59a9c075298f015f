import { Counter, Gauge, Histogram } from 'prom-client';
import { latencyBuckets, type Metrics } from '#kit/base/metrics/metrics.ts';
import { createTracedHistogram } from '#kit/base/metrics/traced-histogram.ts';
import type { IndexView } from './index/index-view.ts';

/** Registers the metrics of retrieval and returns them together with those of the process. */
export function createRetrievalMetrics(metrics: Metrics) {
  const own = {
    rerankTotal: new Counter({
      name: 'ragmesh_rerank_total',
      help: 'Reranked searches, by what it changed: the first passage, the order below it, or none; and those that failed or were late',
      labelNames: ['effect'],
      registers: [metrics.registry],
    }),
    snapshotImageTotal: new Counter({
      name: 'ragmesh_snapshot_image_total',
      help: 'Images of corpora in memory: used by a load, none for it, unusable and made again, written, or failed to be written',
      labelNames: ['outcome'],
      registers: [metrics.registry],
    }),
    trialSearchTotal: new Counter({
      name: 'ragmesh_trial_search_total',
      help: 'Searches that were made in a version on trial too: same passages, others, failed or late, or dropped because too many waited',
      labelNames: ['result'],
      registers: [metrics.registry],
    }),
    trialOverlap: new Histogram({
      name: 'ragmesh_trial_overlap',
      help: 'Share of passages that the live version and the version on trial return for the same search',
      buckets: [0, 0.2, 0.4, 0.6, 0.8, 0.99, 1],
      registers: [metrics.registry],
    }),
    retrievalLatencyMs: createTracedHistogram(metrics.registry, {
      name: 'ai_retrieval_latency_ms',
      help: 'Time of a search in an index: vector, keyword, or all',
      labelNames: ['index'],
      buckets: latencyBuckets,
    }),
  };
  for (const effect of ['first', 'order', 'none', 'failed']) own.rerankTotal.inc({ effect }, 0);
  for (const outcome of ['used', 'none', 'unusable', 'written', 'failed']) own.snapshotImageTotal.inc({ outcome }, 0);
  for (const result of ['same', 'other', 'failed', 'dropped']) own.trialSearchTotal.inc({ result }, 0);
  // A dashboard needs a first sample to compute a rate from.
  for (const index of ['vector', 'keyword', 'all']) own.retrievalLatencyMs.zero({ index });
  return { ...metrics, ...own };
}

/** Metrics of retrieval. */
export type RetrievalMetrics = ReturnType<typeof createRetrievalMetrics>;

/** Registers the gauge of index versions, which reads the indices that are in memory at each scrape. */
export function watchVersions({ registry }: Metrics, views: () => readonly IndexView[]): void {
  new Gauge({
    name: 'ragmesh_index_versions',
    help: 'Versions of the corpora of which this process has the index in memory: building, live, or kept for a rollback',
    labelNames: ['state'],
    aggregator: 'max',
    registers: [registry],
    collect() {
      const counts = { building: 0, live: 0, kept: 0 };
      for (const { versions, live } of views().flatMap(({ corpora }) => [...corpora.values()])) {
        for (const { version, publishedMs } of versions) {
          counts[publishedMs === undefined ? 'building' : version === live ? 'live' : 'kept']++;
        }
      }
      for (const [state, count] of Object.entries(counts)) this.set({ state }, count);
    },
  });
}

/** Registers the gauge of rows that the stores lack, read at each scrape. */
export function watchMissingRows({ registry }: Metrics, counts: () => { vector: number; keyword: number }): void {
  new Gauge({
    name: 'ragmesh_index_missing_chunks',
    help: 'Chunks of live versions that a store lacks although the catalog lists them, by store; 0 unless a store has lost data',
    labelNames: ['store'],
    aggregator: 'max',
    registers: [registry],
    collect() {
      for (const [store, count] of Object.entries(counts())) this.set({ store }, count);
    },
  });
}

/** Registers the gauge of the memory of corpora, read at each scrape. */
export function watchSnapshots({ registry }: Metrics, sizes: () => { vector: number; keyword: number }): void {
  new Gauge({
    name: 'ragmesh_snapshot_bytes',
    help: 'Memory of the corpora that embedded stores search in memory, by store, without what a merge uses for a short time',
    labelNames: ['store'],
    aggregator: 'sum',
    registers: [registry],
    collect() {
      for (const [store, bytes] of Object.entries(sizes())) this.set({ store }, bytes);
    },
  });
}
