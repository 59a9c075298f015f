import { type HrTime, ValueType } from '@opentelemetry/api';
import { resourceFromAttributes } from '@opentelemetry/resources';
import type { DataPoint, Histogram, MetricData, PushMetricExporter } from '@opentelemetry/sdk-metrics';
import type { MetricObjectWithValues, MetricValue, Registry } from 'prom-client';
import { metricExporter, sdkMetrics } from './packages.ts';
import type { MetricTarget } from './settings.ts';

/** A running export. */
export interface MetricExport {
  flush(): Promise<void>;
  /** Exports once more, and stops. */
  close(): Promise<void>;
}

/** What an export needs. */
export interface MetricExportOptions {
  target: MetricTarget;
  /** Attributes of the resource. */
  attributes: Readonly<Record<string, string>>;
  /** Takes the metrics, instead of the collector. */
  exporter?: PushMetricExporter;
}

type PrometheusMetric = MetricObjectWithValues<MetricValue<string> & { metricName?: string }>;

/** Sends the metrics of a registry to a collector at intervals: the same series as on /metrics, with cumulative temporality. */
export function startMetricExport(registry: Registry, options: MetricExportOptions): MetricExport {
  const { timeoutMs, intervalMs } = options.target;
  const { attributes } = options;
  const exporter = options.exporter ?? createExporter(options.target);
  const resource = resourceFromAttributes(attributes);
  const startTime = toHrTime(performance.timeOrigin);
  const collect = async () => {
    const times = { startTime, endTime: toHrTime(Date.now()) };
    const metrics = (await registry.getMetricsAsJSON()).map((metric) =>
      toMetricData(metric as PrometheusMetric, times),
    );
    return { resourceMetrics: { resource, scopeMetrics: [{ scope: { name: 'ragmesh' }, metrics }] }, errors: [] };
  };
  const { MeterProvider, PeriodicExportingMetricReader } = sdkMetrics();
  const reader = new PeriodicExportingMetricReader({
    exporter,
    exportIntervalMillis: intervalMs,
    exportTimeoutMillis: Math.min(timeoutMs, intervalMs),
    metricProducers: [{ collect }],
  });
  const provider = new MeterProvider({ resource, readers: [reader] });
  return { flush: () => provider.forceFlush(), close: () => provider.shutdown() };
}

function createExporter({ url, headers, timeoutMs }: MetricTarget): PushMetricExporter {
  const { OTLPMetricExporter } = metricExporter();
  return new OTLPMetricExporter({ url, headers, timeoutMillis: timeoutMs });
}

interface Times {
  startTime: HrTime;
  endTime: HrTime;
}

/** Returns a metric of Prometheus as one of OpenTelemetry. */
export function toMetricData({ name, help, type, values }: PrometheusMetric, times: Times): MetricData {
  const { AggregationTemporality, DataPointType } = sdkMetrics();
  const kind = String(type);
  const unit = /_ms$/.test(name) ? 'ms' : /_seconds(_total)?$/.test(name) ? 's' : /_bytes$/.test(name) ? 'By' : '';
  const base = {
    descriptor: { name, description: help, unit, valueType: ValueType.DOUBLE },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
  };
  if (kind === 'histogram') {
    return { ...base, dataPointType: DataPointType.HISTOGRAM, dataPoints: toHistograms(name, values, times) };
  }
  const dataPoints = values.map(({ labels, value }) => ({ ...times, attributes: labels, value }));
  if (kind === 'counter') return { ...base, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints };
  return { ...base, dataPointType: DataPointType.GAUGE, dataPoints };
}

// Prometheus counts in a bucket all that is at most its bound; OpenTelemetry counts what is between two bounds.
function toHistograms(name: string, values: PrometheusMetric['values'], times: Times): DataPoint<Histogram>[] {
  const points = new Map<string, { attributes: Record<string, string | number>; value: Histogram }>();
  for (const { labels, value, metricName } of values) {
    const { le, ...attributes } = labels as Record<string, string | number>;
    const key = JSON.stringify(Object.entries(attributes).sort());
    const point = points.get(key) ?? { attributes, value: { buckets: { boundaries: [], counts: [] }, count: 0 } };
    points.set(key, point);
    const { buckets } = point.value;
    if (metricName === `${name}_sum`) point.value.sum = value;
    else if (metricName === `${name}_count`) point.value.count = value;
    else {
      if (le !== '+Inf') buckets.boundaries.push(Number(le));
      buckets.counts.push(value);
    }
  }
  return [...points.values()].map(({ attributes, value }) => {
    const { boundaries, counts } = value.buckets;
    const between = counts.map((count, index) => count - (counts[index - 1] ?? 0));
    return { ...times, attributes, value: { ...value, buckets: { boundaries, counts: between } } };
  });
}

function toHrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1000);
  return [seconds, Math.round((ms - seconds * 1000) * 1e6)];
}
