import { Counter, Gauge, Histogram } from 'prom-client';
import type { Metrics } from '#kit/base/metrics/metrics.ts';

/** Registers the metrics of the cache and returns them together with those of the process. */
export function createCacheMetrics(metrics: Metrics) {
  const registers = [metrics.registry];
  const own = {
    cacheHitTotal: new Counter({
      name: 'ai_cache_hit_total',
      help: 'Answers found in a cache layer',
      labelNames: ['layer'],
      registers,
    }),
    cacheLookupTotal: new Counter({ name: 'ai_cache_lookup_total', help: 'Look-ups in the answer cache', registers }),
    cacheMissTotal: new Counter({
      name: 'ai_cache_miss_total',
      help: 'Look-ups that got a lease to generate',
      registers,
    }),
    cacheLookupMs: new Histogram({
      name: 'ai_cache_lookup_ms',
      help: 'Time from a look-up to its first word: the layer of a hit, follow, or miss',
      labelNames: ['result'],
      buckets: [0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 25, 50, 100, 250, 1000],
      registers,
    }),
    cacheCorruptTotal: new Counter({
      name: 'ai_cache_corrupt_total',
      help: 'Stored answers that could not be read, and were dropped',
      registers,
    }),
    cacheStoreState: new Gauge({
      name: 'ai_cache_store_state',
      aggregator: 'max',
      help: 'Breaker of the durable answer store: 0 closed, 1 half open, 2 open',
      registers,
    }),
    cacheSemanticOff: new Gauge({
      name: 'ai_cache_semantic_off',
      aggregator: 'max',
      help: 'Whether the semantic layer of the cache is off: 1 if its calibration or the shadow comparisons say so',
      registers,
    }),
    cacheSemanticRefusedTotal: new Counter({
      name: 'ai_cache_semantic_refused_total',
      help: 'Candidates of the semantic layer that were not served, by the guard that refused, or the verifier',
      labelNames: ['guard'],
      registers,
    }),
    cacheSemanticShadowTotal: new Counter({
      name: 'ai_cache_semantic_shadow_total',
      help: 'Semantic hits that were generated again and compared: same or wrong',
      labelNames: ['verdict'],
      registers,
    }),
  };
  // A dashboard needs a first sample to compute a rate from.
  for (const layer of ['memory', 'durable', 'semantic', 'follow']) {
    own.cacheHitTotal.inc({ layer }, 0);
    own.cacheLookupMs.zero({ result: layer });
  }
  own.cacheLookupMs.zero({ result: 'miss' });
  for (const verdict of ['same', 'wrong']) own.cacheSemanticShadowTotal.inc({ verdict }, 0);
  return { ...metrics, ...own };
}

/** Metrics of the cache. */
export type CacheMetrics = ReturnType<typeof createCacheMetrics>;
