import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { create } from '@bufbuild/protobuf';
import { trace } from '@opentelemetry/api';
import { InMemoryLogRecordExporter } from '@opentelemetry/sdk-logs';
import {
  AggregationTemporality,
  DataPointType,
  InMemoryMetricExporter,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics';
import { pino } from 'pino';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { afterAll, afterEach, expect, test } from 'vitest';
import { TelemetryConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { createLogger } from '../../base/log.ts';
import { createLogExport } from './log-export.ts';
import { startMetricExport } from './metric-export.ts';
import { readTelemetrySettings } from './settings.ts';
import { registerTelemetryMetrics, startTelemetry, type Telemetry } from './telemetry.ts';

// A process sends its traces to one collector, so each test starts tracing again.

interface Received {
  path: string;
  headers: Record<string, unknown>;
  body: string;
}
const received: Received[] = [];
let status = 200;
const collector = createServer((request, response) => {
  const parts: Buffer[] = [];
  request.on('data', (part: Buffer) => parts.push(part));
  request.on('end', () => {
    received.push({ path: request.url ?? '', headers: request.headers, body: Buffer.concat(parts).toString('latin1') });
    response.statusCode = status;
    response.end();
  });
});
await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;

let telemetry: Telemetry | undefined;
afterEach(async () => {
  await telemetry?.close().catch(() => {});
  trace.disable();
  received.length = 0;
  status = 200;
});
afterAll(() => collector.close());

function startWith(env: Record<string, string>) {
  const entries: Record<string, unknown>[] = [];
  let nowMs = 0;
  const log = pino({ base: null }, { write: (line: string) => entries.push(JSON.parse(line)) });
  const started = startTelemetry(undefined, 'chat', {
    env,
    log,
    version: '1.2.3',
    instanceId: 'instance-7',
    clock: () => nowMs,
  });
  telemetry = started;
  const exportSpan = async () => {
    trace.getTracer('test').startSpan('one').end();
    await started.flush().catch(() => {});
  };
  return { telemetry: started, entries, exportSpan, pass: (ms: number) => (nowMs += ms) };
}

test('spans reach the collector of the environment, with its headers, the resource and the identity of the process', async () => {
  const { exportSpan, telemetry, entries } = startWith({
    OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
    OTEL_EXPORTER_OTLP_HEADERS: 'x-team=search%20team,x-key=secret',
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=staging',
    OTEL_SERVICE_NAME: 'renamed',
  });
  await exportSpan();
  expect(received).toHaveLength(1);
  const [{ path, headers, body }] = received as [Received];
  expect(path).toBe('/v1/traces');
  expect(headers).toMatchObject({ 'x-team': 'search team', 'x-key': 'secret' });
  for (const word of ['service.version', '1.2.3', 'service.instance.id', 'instance-7', 'staging', 'renamed', 'one']) {
    expect(body).toContain(word);
  }
  expect(telemetry.lostSpanCount()).toBe(0);
  expect(entries).toEqual([]);
});

test('metrics reach the collector, each as it is on /metrics', async () => {
  const registry = new Registry();
  new Counter({ name: 'a_total', help: 'h', labelNames: ['code'], registers: [registry] }).inc({ code: 'OK' }, 3);
  new Gauge({ name: 'b_bytes', help: 'h', registers: [registry] }).set(7);
  const latency = new Histogram({
    name: 'c_ms',
    help: 'h',
    labelNames: ['route'],
    buckets: [10, 800],
    registers: [registry],
  });
  for (const ms of [5, 500, 9000]) latency.observe({ route: 'cache' }, ms);
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const target = { url: endpoint, headers: {}, timeoutMs: 1000, intervalMs: 3_600_000 };
  const metrics = startMetricExport(registry, { target, attributes: { 'service.name': 'chat' }, exporter });
  await metrics.flush();
  const [{ resource, scopeMetrics }] = exporter.getMetrics() as [ResourceMetrics];
  await metrics.close();
  expect(resource.attributes['service.name']).toBe('chat');
  const shown = scopeMetrics[0]?.metrics.map(({ descriptor, dataPointType, dataPoints }) => ({
    name: `${descriptor.name} ${descriptor.unit}`.trim(),
    type: DataPointType[dataPointType],
    points: dataPoints.map(({ attributes, value }) => [attributes, value]),
  }));
  const value = { buckets: { boundaries: [10, 800], counts: [1, 1, 1] }, count: 3, sum: 9505 };
  expect(shown).toEqual([
    { name: 'a_total', type: 'SUM', points: [[{ code: 'OK' }, 3]] },
    { name: 'b_bytes By', type: 'GAUGE', points: [[{}, 7]] },
    { name: 'c_ms ms', type: 'HISTOGRAM', points: [[{ route: 'cache' }, value]] },
  ]);
});

test('with a collector of metrics, the registry of the process is exported until it closes', async () => {
  const { telemetry } = startWith({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_METRICS_EXPORTER: 'otlp' });
  await telemetry.attach(new Registry());
  await telemetry.flush();
  expect(received.map(({ path }) => path)).toEqual(['/v1/metrics']);
  expect(received[0]?.body).toContain('ragmesh_telemetry_lost_spans_total');
});

test('log lines reach the collector with their level, event, fields and trace', async () => {
  const exporter = new InMemoryLogRecordExporter();
  const logs = createLogExport({ url: endpoint, headers: {}, timeoutMs: 1000 }, { 'service.name': 'chat' }, exporter);
  const log = createLogger('info', logs);
  log.debug('hidden');
  log.warn({ event: 'dependency_down', service: 'chat', detail: { tries: 2 } }, 'dependency down');
  log.info({ trace_id: '4bf92f3577b34da6a3ce929d0e0e4736', span_id: '00f067aa0ba902b7' }, 'rpc finished');
  await logs.flush();
  const [warning, info, ...others] = exporter.getFinishedLogRecords();
  expect(others).toEqual([]);
  expect(warning).toMatchObject({
    severityText: 'WARN',
    severityNumber: 13,
    eventName: 'dependency_down',
    body: 'dependency down',
    attributes: { service: 'chat', detail: '{"tries":2}' },
  });
  expect(warning?.resource.attributes['service.name']).toBe('chat');
  expect(info?.spanContext).toMatchObject({ traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7' });
  await logs.close();
});

test('log lines leave over OTLP', async () => {
  const logs = createLogExport({ url: `${endpoint}/v1/logs`, headers: { 'x-key': 'k' }, timeoutMs: 1000 }, {});
  createLogger('info', logs).info({ event: 'serving' }, 'serving');
  await logs.close();
  expect(received.map(({ path, headers }) => [path, headers['x-key']])).toEqual([['/v1/logs', 'k']]);
  expect(received[0]?.body).toContain('serving');
});

test('metrics and logs leave only if they are asked for', () => {
  const identity = { serviceName: 'chat' };
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint };
  expect(readTelemetrySettings(undefined, identity, env)).toMatchObject({ metrics: undefined, logs: undefined });
  const asked = create(TelemetryConfigSchema, { otlpMetrics: true, otlpLogs: true, otlpMetricsIntervalMs: 5000 });
  expect(readTelemetrySettings(asked, identity, env)).toMatchObject({
    metrics: { url: `${endpoint}/v1/metrics`, intervalMs: 5000 },
    logs: { url: `${endpoint}/v1/logs` },
  });
  expect(() => readTelemetrySettings(asked, identity, {})).toThrow('telemetry.otlp_metrics: has no collector');
  const refused = create(TelemetryConfigSchema, { otlpLogs: false });
  expect(readTelemetrySettings(refused, identity, { ...env, OTEL_LOGS_EXPORTER: 'otlp' }).logs).toBeUndefined();
});

test('a collector that refuses is logged once a minute, and lost spans are counted', async () => {
  status = 400;
  const { exportSpan, telemetry, entries, pass } = startWith({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint });
  await exportSpan();
  await exportSpan();
  expect(entries).toHaveLength(1);
  expect(entries[0]).toMatchObject({ event: 'telemetry_export_failed', level: 40, msg: 'telemetry export failed' });
  pass(60_000);
  await exportSpan();
  expect(entries).toHaveLength(2);
  expect(entries[1]?.suppressedCount).toBeGreaterThan(0);
  expect(telemetry.lostSpanCount()).toBe(3);
  const registry = new Registry();
  registerTelemetryMetrics(registry, telemetry);
  expect(await registry.metrics()).toContain('ragmesh_telemetry_lost_spans_total 3');
});

test('a collector that does not listen is logged', async () => {
  const { exportSpan, telemetry, entries } = startWith({
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://127.0.0.1:1/v1/traces',
    OTEL_EXPORTER_OTLP_TIMEOUT: '300',
  });
  await exportSpan();
  expect(telemetry.lostSpanCount()).toBe(1);
  expect(entries[0]).toMatchObject({ event: 'telemetry_export_failed' });
});

test('without a collector, or with tracing turned off, nothing is recorded', () => {
  expect(startWith({}).telemetry.recording).toBe(false);
  expect(startWith({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_SDK_DISABLED: 'true' }).telemetry.recording).toBe(
    false,
  );
  expect(startWith({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_TRACES_EXPORTER: 'none' }).telemetry.recording).toBe(
    false,
  );
});

test('the configuration wins over the environment', () => {
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://env:4318', OTEL_TRACES_SAMPLER: 'always_off' };
  const identity = { serviceName: 'chat' };
  const ofEnv = readTelemetrySettings(undefined, identity, env);
  expect(ofEnv.traces?.url).toBe('http://env:4318/v1/traces');
  expect(String(ofEnv.sampler)).toBe('AlwaysOffSampler');
  const config = create(TelemetryConfigSchema, { otlpEndpoint: 'http://file:4318/', sampleRatio: 0.5 });
  const ofFile = readTelemetrySettings(config, identity, env);
  expect(ofFile.traces?.url).toBe('http://file:4318/v1/traces');
  expect(String(ofFile.sampler)).toContain('TraceIdRatioBased{0.5}');
});

test.each([
  [{ OTEL_TRACES_SAMPLER: 'sometimes' }, 'OTEL_TRACES_SAMPLER: is "sometimes"; allowed: always_on'],
  [{ OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '2' }, 'OTEL_TRACES_SAMPLER_ARG: is "2"'],
  [{ OTEL_EXPORTER_OTLP_HEADERS: 'secret' }, 'OTEL_EXPORTER_OTLP_HEADERS: is not a list of key=value'],
  [
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4317', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' },
    'OTEL_EXPORTER_OTLP_PROTOCOL: is "grpc"; allowed: http/protobuf',
  ],
])('a variable that cannot be honoured stops the start: %o', (env, message) => {
  expect(() => readTelemetrySettings(undefined, { serviceName: 'chat' }, env as Record<string, string>)).toThrow(
    message,
  );
});
