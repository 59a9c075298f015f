import { ConnectError } from '@connectrpc/connect';
import { InMemorySpanExporter } from '@opentelemetry/sdk-trace-node';
import { pino } from 'pino';
import { afterAll, expect, test } from 'vitest';
import { errorInfoOf } from '#kit/base/errors.ts';
import { startTelemetry } from '#kit/host/telemetry/telemetry.ts';
import { modelAt, startTestGateway } from '../testing/gateway.ts';
import {
  content,
  cutAfter,
  failed,
  finish,
  type Responder,
  startFakeProvider,
  streamed,
  usage,
} from '../testing/provider-server.ts';

const exporter = new InMemorySpanExporter();
const telemetry = startTelemetry(undefined, 'test', { exporter });
afterAll(() => telemetry.close());

const key = 'sk-a1b2c3d4e5f6a7b8';
const echo = { message: `Incorrect API key provided: ${key}`, code: key, type: key };

test.each<[string, Responder]>([
  ['its error', failed(401, echo)],
  ['its overload', failed(503, echo, { 'x-request-id': key })],
  ['its stream', streamed([content('a'), { error: echo }])],
  ['its broken stream', cutAfter([content('a'), `event: error\ndata: ${key}\n\n`])],
  ['its end', streamed([content('a'), finish(key)])],
  ['a web page', (response) => response.writeHead(200, { 'content-type': 'text/html' }).end(key)],
])('a provider that repeats the key in %s tells it to nobody', async (_, reply) => {
  const written: string[] = [];
  const log = pino({ level: 'trace' }, { write: (line: string) => void written.push(line) });
  await using server = await startFakeProvider(reply);
  await using gateway = await startTestGateway(
    { models: [modelAt(server.url, 'gpt', { settings: { api_key: key } })], maxAttempts: 1 },
    { tracing: true, log },
  );
  const [result] = await Promise.allSettled([gateway.ask()]);
  await telemetry.flush();
  const shown =
    result.status === 'rejected'
      ? [ConnectError.from(result.reason).message, JSON.stringify(errorInfoOf(result.reason))]
      : [JSON.stringify(result.value, (_name, value) => (typeof value === 'bigint' ? String(value) : value))];
  const spans = exporter
    .getFinishedSpans()
    .map(({ name, attributes, events, status }) => ({ name, attributes, events, status }));
  expect(spans.some(({ name }) => name === 'chat gpt-at-provider')).toBe(true);
  expect(written.some((line) => line.includes('rpc'))).toBe(true);
  const told = [...written, ...shown, JSON.stringify(spans), await gateway.mesh.host.metrics.registry.metrics()];
  for (const text of told) expect(text).not.toContain(key);
  exporter.reset();
});

test('one span a request, and under it a client span an attempt, with the names of the GenAI conventions', async () => {
  await using bad = await startFakeProvider(failed(503, { code: 'server_is_overloaded' }));
  await using good = await startFakeProvider(streamed([content('a'), finish('stop'), usage(10, 2, 4)]));
  const models = [modelAt(bad.url, 'first'), modelAt(good.url, 'second')];
  await using gateway = await startTestGateway({ models }, { tracing: true });
  exporter.reset();
  await gateway.ask({ maxTokens: 50 });
  await telemetry.flush();
  const spans = exporter.getFinishedSpans();
  const request = spans.filter(({ name }) => name === 'llm.generate');
  expect(request).toHaveLength(1);
  const attempts = spans.filter(({ name }) => name.startsWith('chat '));
  expect(attempts.map(({ name, kind }) => [name, kind])).toEqual([
    ['chat first-at-provider', 2],
    ['chat second-at-provider', 2],
  ]);
  for (const { parentSpanContext } of attempts)
    expect(parentSpanContext?.spanId).toBe(request[0]?.spanContext().spanId);
  expect(attempts[0]?.attributes).toMatchObject({ 'error.type': 'server_is_overloaded', 'ragmesh.llm.attempt': 1 });
  expect(attempts[1]?.attributes).toMatchObject({
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': 'openai-compatible',
    'gen_ai.request.model': 'second-at-provider',
    'gen_ai.request.max_tokens': 50,
    'gen_ai.response.finish_reasons': ['complete'],
    'gen_ai.usage.input_tokens': 10,
    'gen_ai.usage.output_tokens': 2,
    'gen_ai.usage.cache_read.input_tokens': 4,
  });
  expect(attempts[1]?.attributes).not.toHaveProperty('error.type');
});
