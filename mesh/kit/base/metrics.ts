import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { registerProcessMetrics } from './process-metrics.ts';

const latencyBuckets = [1, 2, 5, 10, 15, 25, 50, 100, 250, 500, 800, 1500, 3000, 10_000, 60_000];

/**
 * The metrics of a process. The `ai_*` names are fixed: dashboards and alerts of users depend on them. Histograms are in
 * milliseconds.
 */
export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  registerProcessMetrics(registry);
  let countCalls = () => 0;
  new Gauge({
    name: 'ragmesh_calls_open',
    help: 'Calls under way',
    registers,
    collect() {
      this.set(countCalls());
    },
  });
  return {
    registry,
    /** Says how calls under way are counted. */
    countCallsWith(count: () => number) {
      countCalls = count;
    },
    requestTotal: new Counter({
      name: 'ai_request_total',
      help: 'Questions asked',
      labelNames: ['tenant', 'route', 'model'],
      registers,
    }),
    requestLatencyMs: new Histogram({
      name: 'ai_request_latency_ms',
      help: 'Time from a question to the end of its answer',
      labelNames: ['route'],
      buckets: latencyBuckets,
      registers,
    }),
    retrievalLatencyMs: new Histogram({
      name: 'ai_retrieval_latency_ms',
      help: 'Time of a search in an index: vector, keyword, or all',
      labelNames: ['index'],
      buckets: latencyBuckets,
      registers,
    }),
    llmLatencyMs: new Histogram({
      name: 'ai_llm_latency_ms',
      help: 'Time of a generation, to its end',
      labelNames: ['provider', 'model'],
      buckets: latencyBuckets,
      registers,
    }),
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
      help: 'Breaker of the durable answer store: 0 closed, 1 half open, 2 open',
      registers,
    }),
    cacheSemanticOff: new Gauge({
      name: 'ai_cache_semantic_off',
      help: 'Whether the semantic layer of the cache is off: 1 where its calibration or the shadow comparisons say so',
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
    promptTokens: new Counter({
      name: 'ai_prompt_tokens_total',
      help: 'Prompt tokens used',
      labelNames: ['model'],
      registers,
    }),
    completionTokens: new Counter({
      name: 'ai_completion_tokens_total',
      help: 'Completion tokens used',
      labelNames: ['model'],
      registers,
    }),
    indexJobBacklog: new Gauge({
      name: 'ai_index_job_backlog',
      help: 'Indexing jobs that wait or run',
      labelNames: ['topic'],
      registers,
    }),
    unsupportedClaimTotal: new Counter({
      name: 'ragmesh_unsupported_claim_total',
      help: 'Sentences of answers that the cited passages do not support: fact, negation, or language',
      labelNames: ['fault'],
      registers,
    }),
    degradationTotal: new Counter({
      name: 'ragmesh_degradation_total',
      help: 'Stages that failed or were late and were done without',
      labelNames: ['stage'],
      registers,
    }),
    rpcTotal: new Counter({
      name: 'ragmesh_rpc_total',
      help: 'Calls served',
      labelNames: ['service', 'method', 'code'],
      registers,
    }),
    rpcMs: new Histogram({
      name: 'ragmesh_rpc_ms',
      help: 'Time of a served call, to its end',
      labelNames: ['service'],
      buckets: latencyBuckets,
      registers,
    }),
  };
}

/** The metrics of a process. */
export type Metrics = ReturnType<typeof createMetrics>;
