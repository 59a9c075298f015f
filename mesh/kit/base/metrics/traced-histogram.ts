import { TraceFlags, trace } from '@opentelemetry/api';
import { Histogram, type HistogramConfiguration, type Registry } from 'prom-client';

/** A histogram whose buckets point at traces. */
export interface TracedHistogram<T extends string> {
  /** Adds a value. If the active trace is sampled, it becomes the exemplar of the bucket: a dashboard opens the trace of a slow request from there. */
  observe(labels: Partial<Record<T, string | number>>, value: number): void;
  /** Gives a set of labels its first sample. */
  zero(labels: Partial<Record<T, string | number>>): void;
}

// One object, because most observations have no trace to point at.
const noTrace = {};

/** Creates a histogram with exemplars. They leave in the OpenMetrics format only. */
export function createTracedHistogram<T extends string>(
  registry: Registry,
  config: Omit<HistogramConfiguration<T>, 'registers' | 'enableExemplars'>,
): TracedHistogram<T> {
  // prom-client takes exemplars for registries of one format; this one is written in both (`host/metrics/open-metrics.ts`).
  const histogram = new Histogram<T>({ ...config, registers: [], enableExemplars: true });
  registry.registerMetric(histogram);
  return {
    observe(labels, value) {
      const span = trace.getActiveSpan()?.spanContext();
      const isSampled = span !== undefined && (span.traceFlags & TraceFlags.SAMPLED) !== 0;
      const exemplarLabels = isSampled ? { trace_id: span.traceId, span_id: span.spanId } : noTrace;
      histogram.observe({ labels, value, exemplarLabels });
    },
    zero: (labels) => histogram.zero(labels),
  };
}
