import { Counter, Gauge, Histogram } from 'prom-client';
import type { Metrics } from '#kit/base/metrics.ts';
import type { Target } from './targets/target.ts';

const firstTokenBuckets = [10, 25, 50, 100, 200, 400, 800, 1500, 3000, 6000, 15_000, 30_000];

/** What is counted of the gateway's inside, beside the `ai_*` metrics of the process. */
export function createGatewayMetrics(metrics: Metrics) {
  const registers = [metrics.registry];
  return {
    ...metrics,
    attemptTotal: new Counter({
      name: 'ragmesh_llm_attempt_total',
      help: 'Attempts at models, by what came of them: an outcome, or the kind of the failure',
      labelNames: ['provider', 'model', 'result'],
      registers,
    }),
    fallbackTotal: new Counter({
      name: 'ragmesh_llm_fallback_total',
      help: 'Further attempts of a request: at the same model, at another one, or going on from a part of an answer',
      labelNames: ['model', 'how'],
      registers,
    }),
    firstTokenMs: new Histogram({
      name: 'ragmesh_llm_first_token_ms',
      help: 'Time of an attempt to its first content',
      labelNames: ['provider', 'model'],
      buckets: firstTokenBuckets,
      registers,
    }),
    hedgeTotal: new Counter({
      name: 'ragmesh_llm_hedge_total',
      help: 'Second attempts beside slow first ones, by who spoke first, and those that were not made for their share',
      labelNames: ['result'],
      registers,
    }),
    breakerState: new Gauge({
      name: 'ragmesh_llm_breaker_state',
      help: 'Breaker of a model: 0 closed, 1 half open, 2 open',
      labelNames: ['model'],
      registers,
    }),
    costMicros: new Counter({
      name: 'ragmesh_llm_cost_micros_total',
      help: 'Money spent, in millionths of the currency unit',
      labelNames: ['model', 'currency'],
      registers,
    }),
  };
}

/** Metrics of the gateway. */
export type GatewayMetrics = ReturnType<typeof createGatewayMetrics>;

/** Gauges of what is going on, read when somebody asks. */
export function watchLoad(metrics: Metrics, targets: () => readonly Target[]): void {
  const registers = [metrics.registry];
  new Gauge({
    name: 'ragmesh_llm_in_flight',
    help: 'Attempts under way at a model, and those that wait for their turn there',
    labelNames: ['model', 'state'],
    registers,
    collect() {
      this.reset();
      for (const { name, slots } of targets()) {
        this.set({ model: name, state: 'under_way' }, slots.inUse);
        this.set({ model: name, state: 'waiting' }, slots.waiting);
      }
    },
  });
  new Gauge({
    name: 'ragmesh_llm_connections',
    help: 'Connections that are open to the provider of a model',
    labelNames: ['model'],
    registers,
    collect() {
      this.reset();
      for (const target of targets()) this.set({ model: target.name }, target.connectionCount());
    },
  });
}
