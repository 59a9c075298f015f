import { context, ROOT_CONTEXT, TraceFlags, trace } from '@opentelemetry/api';
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { Counter, Gauge, Registry } from 'prom-client';
import { afterAll, expect, test } from 'vitest';
import { createTracedHistogram } from '../../base/metrics/traced-histogram.ts';
import { toOpenMetrics } from './open-metrics.ts';

// Sets what holds the active span.
const provider = new NodeTracerProvider();
provider.register();
afterAll(() => provider.shutdown());

const inTrace = (traceId: string, traceFlags: TraceFlags, work: () => void) =>
  context.with(trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId: '00f067aa0ba902b7', traceFlags }), work);

test('a bucket has the trace of its last sampled value as its exemplar, and the text format is as before', async () => {
  const registry = new Registry();
  const latency = createTracedHistogram(registry, {
    name: 'a_ms',
    help: 'h',
    labelNames: ['route'],
    buckets: [10, 800],
  });
  inTrace('4bf92f3577b34da6a3ce929d0e0e4736', TraceFlags.SAMPLED, () => latency.observe({ route: 'cache' }, 500));
  inTrace('11111111111111111111111111111111', TraceFlags.NONE, () => latency.observe({ route: 'cache' }, 5));
  const lines = toOpenMetrics(await registry.getMetricsAsJSON()).split('\n');
  expect(lines.find((line) => line.startsWith('a_ms_bucket{le="800",route="cache"}'))).toMatch(
    /^a_ms_bucket\{le="800",route="cache"\} 2 # \{trace_id="4bf92f3577b34da6a3ce929d0e0e4736",span_id="00f067aa0ba902b7"\} 500 \d+(\.\d+)?$/,
  );
  expect(lines.filter((line) => line.includes('# {'))).toHaveLength(1);
  expect(lines).toContain('a_ms_count{route="cache"} 2');
  const text = await registry.metrics();
  expect(text).toContain('a_ms_bucket{le="800",route="cache"} 2\n');
  expect(text).not.toContain('trace_id');
});

test('counters end with _total, families do not, and text is escaped', async () => {
  const registry = new Registry();
  new Counter({ name: 'a_total', help: 'line\nbreak', labelNames: ['name'], registers: [registry] }).inc({
    name: 'x"\\',
  });
  new Gauge({ name: 'b', help: 'h', registers: [registry] }).set(Number.NaN);
  const page =
    '# HELP a line\\nbreak\n# TYPE a counter\na_total{name="x\\"\\\\"} 1\n# HELP b h\n# TYPE b gauge\nb NaN\n# EOF\n';
  expect(toOpenMetrics(await registry.getMetricsAsJSON())).toBe(page);
  expect(await registry.metrics()).toContain('a_total{');
});
