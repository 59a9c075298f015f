import { Counter, Gauge, Histogram } from 'prom-client';
import { latencyBuckets, type Metrics } from '#kit/base/metrics/metrics.ts';
import { createTracedHistogram } from '#kit/base/metrics/traced-histogram.ts';

const firstTokenBuckets = [10, 25, 50, 100, 200, 400, 800, 1500, 3000, 6000, 15_000, 30_000];
/** Results of an attempt that alerts and dashboards depend on: whole, and failures that are the provider's. */
const attemptResults = ['complete', 'rate-limited', 'overloaded', 'timeout', 'broken', 'auth', 'quota'];
const interTokenBuckets = [1, 2, 5, 10, 20, 30, 50, 75, 100, 150, 250, 500, 1000, 2500];

/** Registers the metrics of the gateway and returns them together with those of the process. */
export function createGatewayMetrics(metrics: Metrics) {
  const registers = [metrics.registry];
  return {
    ...metrics,
    llmLatencyMs: createTracedHistogram(metrics.registry, {
      name: 'ai_llm_latency_ms',
      help: 'Time of a generation, to its end',
      labelNames: ['provider', 'model'],
      buckets: latencyBuckets,
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
    attemptTotal: new Counter({
      name: 'ragmesh_llm_attempt_total',
      help: 'Attempts at models, by result: an outcome, or the kind of the failure',
      labelNames: ['provider', 'model', 'result'],
      registers,
    }),
    fallbackTotal: new Counter({
      name: 'ragmesh_llm_fallback_total',
      help: 'Attempts of a request after its first one: a new answer, or the continuation of a partial answer',
      labelNames: ['model', 'how'],
      registers,
    }),
    firstTokenMs: createTracedHistogram(metrics.registry, {
      name: 'ragmesh_llm_first_token_ms',
      help: 'Time of an attempt to its first content',
      labelNames: ['provider', 'model'],
      buckets: firstTokenBuckets,
    }),
    interTokenMs: new Histogram({
      name: 'ragmesh_llm_inter_token_ms',
      help: 'Time between two pieces of content of an attempt, as its reader takes them',
      labelNames: ['provider', 'model'],
      buckets: interTokenBuckets,
      registers,
    }),
    hedgeTotal: new Counter({
      name: 'ragmesh_llm_hedge_total',
      help: 'Hedged requests by the attempt that won, and hedges that the configured share did not allow',
      labelNames: ['result'],
      registers,
    }),
    targetBreakerState: new Gauge({
      aggregator: 'max',
      name: 'ragmesh_llm_breaker_state',
      help: 'Breaker of a model: 0 closed, 1 half open, 2 open',
      labelNames: ['model'],
      registers,
    }),
    costMicros: new Counter({
      name: 'ragmesh_llm_cost_micros_total',
      help: 'Cost of charged attempts, in millionths of the currency unit',
      labelNames: ['model', 'currency'],
      registers,
    }),
  };
}

/** Metrics of the gateway. */
export type GatewayMetrics = ReturnType<typeof createGatewayMetrics>;

/** The load of a target, as the gauges read it. */
export interface TargetLoad {
  readonly name: string;
  readonly adapter: string;
  readonly provider: { readonly name: string };
  readonly slots: { readonly inUse: number; readonly waiting: number };
  /** Returns the number of open connections. */
  connectionCount(): number;
}

/** Registers the gauges of the load, which read `targets` at each scrape; a target that is new gets the first samples of its counts. */
export function watchLoad(metrics: GatewayMetrics, targets: () => readonly TargetLoad[]): void {
  const registers = [metrics.registry];
  new Gauge({
    name: 'ragmesh_llm_in_flight',
    help: 'Attempts in flight at a model, and attempts that wait for a slot there',
    labelNames: ['model', 'state'],
    registers,
    collect() {
      this.reset();
      for (const { name, adapter, provider, slots } of targets()) {
        beginCounts(metrics, adapter, metrics.modelLabel(provider.name));
        this.set({ model: name, state: 'under_way' }, slots.inUse);
        this.set({ model: name, state: 'waiting' }, slots.waiting);
      }
    },
  });
  new Gauge({
    name: 'ragmesh_llm_connections',
    help: 'Open connections to the provider of a model',
    labelNames: ['model'],
    registers,
    collect() {
      this.reset();
      for (const target of targets()) this.set({ model: target.name }, target.connectionCount());
    },
  });
}

// Without a first sample, the first failure of a model would be no increase.
function beginCounts(
  { promptTokens, completionTokens, attemptTotal }: GatewayMetrics,
  provider: string,
  model: string,
) {
  promptTokens.inc({ model }, 0);
  completionTokens.inc({ model }, 0);
  for (const result of attemptResults) attemptTotal.inc({ provider, model, result }, 0);
}
