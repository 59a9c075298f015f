import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { create } from '@bufbuild/protobuf';
import { trace } from '@opentelemetry/api';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterAll, afterEach, expect, test } from 'vitest';
import { TelemetryConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { registerTelemetryMetrics, startTelemetry, type Telemetry } from './telemetry.ts';
import { readTelemetrySettings } from './telemetry-settings.ts';

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
  expect(ofEnv.url).toBe('http://env:4318/v1/traces');
  expect(String(ofEnv.sampler)).toBe('AlwaysOffSampler');
  const config = create(TelemetryConfigSchema, { otlpEndpoint: 'http://file:4318/', sampleRatio: 0.5 });
  const ofFile = readTelemetrySettings(config, identity, env);
  expect(ofFile.url).toBe('http://file:4318/v1/traces');
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
