import { Counter, Histogram } from 'prom-client';
import { latencyBuckets, type Metrics } from '#kit/base/metrics.ts';

/** Registers the metrics of chat and returns them together with those of the process. */
export function createChatMetrics(metrics: Metrics) {
  const registers = [metrics.registry];
  const own = {
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
    unsupportedClaimTotal: new Counter({
      name: 'ragmesh_unsupported_claim_total',
      help: 'Sentences of answers that the cited passages do not support: fact, negation, or language',
      labelNames: ['fault'],
      registers,
    }),
  };
  for (const fault of ['fact', 'negation', 'language']) own.unsupportedClaimTotal.inc({ fault }, 0);
  return { ...metrics, ...own };
}

/** Metrics of chat. */
export type ChatMetrics = ReturnType<typeof createChatMetrics>;
