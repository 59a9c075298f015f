import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { InMemorySpanExporter, type ReadableSpan } from '@opentelemetry/sdk-trace-node';
import { afterAll, expect, test } from 'vitest';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { startTelemetry } from '#kit/host/telemetry/telemetry.ts';
import { startTestMesh, type TestMesh } from '#kit/testing/mesh.ts';
import { services } from '../run.ts';
import { askWhole, patient, startWholeMesh } from './testing/whole-mesh.ts';

// The same services in one process and split over several hosts that talk over gRPC: same answer, same trace.

const exporter = new InMemorySpanExporter();
const telemetry = startTelemetry(undefined, 'test', { exporter });
const folder = mkdtempSync(join(tmpdir(), 'ragmesh-topology-'));
afterAll(async () => {
  await telemetry.close();
  rmSync(folder, { recursive: true, force: true });
});

const question = 'How long do I have to send back unwashed bedding?';
const groupsOfServices = [
  ['embedding', 'rerank', 'llm-gateway', 'audit', 'cache'],
  ['retrieval'],
  ['chat', 'indexer', 'evaluation'],
  ['edge'],
];

async function askOver(url: string, key: string) {
  const transport = createConnectTransport({ baseUrl: url, httpVersion: '2' });
  const options = { headers: { authorization: `Bearer ${key}` } };
  exporter.reset();
  const answer = await askWhole(createClient(ChatService, transport), { question, bypassCache: true }, options);
  await telemetry.flush();
  const spans = exporter.getFinishedSpans().filter((span) => span.spanContext().traceId === answer.done.traceId);
  return { answer, spans, stages: stagesOf(spans), calls: callsOf(spans) };
}

/** The stages of the question, each once. */
function stagesOf(spans: ReadableSpan[]): string[] {
  const stages = spans
    .map(({ name }) => name)
    .filter((name) => /^(chat|cache|rag|retrieval|prompt|llm)\.[a-z]+$/.test(name));
  return [...new Set(stages)].sort();
}

/** Walks a trace along {@link path}: each stage is below the question, and none starts before the one ahead of it. */
function expectWalk(spans: ReadableSpan[]): void {
  const byId = new Map(spans.map((span) => [span.spanContext().spanId, span]));
  const firstOf = (name: string) => {
    const [first] = spans.filter((span) => span.name === name).sort((a, b) => startOf(a) - startOf(b));
    expect(first, name).toBeDefined();
    return first as ReadableSpan;
  };
  const question = firstOf('chat.request');
  for (const [index, name] of path.slice(1).entries()) {
    const span = firstOf(name);
    let above: ReadableSpan | undefined = span;
    while (above !== undefined && above !== question) above = byId.get(above.parentSpanContext?.spanId ?? '');
    expect(above, `${name} is below the question`).toBe(question);
    // Both legs of the search start together, in any order.
    const ahead = path[name === 'retrieval.keyword' ? index - 1 : index] as string;
    expect(startOf(span), `${name} starts after ${ahead}`).toBeGreaterThanOrEqual(startOf(firstOf(ahead)));
  }
}

/** The path of a question. */
const path = [
  'chat.request',
  'cache.get',
  'rag.rewrite',
  'retrieval.vector',
  'retrieval.keyword',
  'retrieval.rerank',
  'prompt.build',
  'llm.generate',
  'cache.set',
];

/** Start of a span in whole milliseconds: all processes of the test have one clock, which spans read in milliseconds. */
const startOf = ({ startTime: [seconds, nanos] }: ReadableSpan) => seconds * 1000 + Math.floor(nanos / 1e6);

/** Which rpcs were called, with their number of spans. */
function callsOf(spans: ReadableSpan[]): string[] {
  return spans
    .map(({ name }) => name)
    .filter((name) => name.startsWith('grpc.'))
    .sort();
}

test('one process or four, the answer and its trace are the same', async () => {
  const dataDir = join(folder, 'data');
  const whole = await startWholeMesh({ dataDir, tracing: true });
  const together = await askOver(whole.edgeUrl, whole.devKey);
  const { devKey } = whole;
  await whole.close(true);

  const hosts: TestMesh[] = [];
  const addresses: Record<string, string> = {};
  for (const names of groupsOfServices) {
    const chosen = names.map((name) => services.find((service) => service.name === name) as (typeof services)[number]);
    const mesh = await startTestMesh(chosen, {
      known: services,
      dataDir,
      tracing: true,
      config: { ...patient, addresses: { ...addresses } },
    });
    hosts.push(mesh);
    for (const name of names) addresses[name] = `127.0.0.1:${mesh.host.grpcPort}`;
  }
  const { port } = (hosts.at(-1) as TestMesh).host.running('edge') as unknown as { port: number };
  const apart = await askOver(`http://127.0.0.1:${port}`, devKey);
  for (const mesh of hosts.reverse()) await mesh.close(true);

  expect(apart.answer.text).toBe(together.answer.text);
  expect(apart.answer.citations.map(({ chunkId }) => chunkId)).toEqual(
    together.answer.citations.map(({ chunkId }) => chunkId),
  );
  for (const { spans, stages } of [together, apart]) {
    expect(stages).toEqual([...path].sort());
    expectWalk(spans);
  }
  expect(apart.calls).toEqual(together.calls);
}, 120_000);
