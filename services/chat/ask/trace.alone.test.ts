import { InMemorySpanExporter, type ReadableSpan } from '@opentelemetry/sdk-trace-node';
import { expect, test } from 'vitest';
import { startTelemetry } from '#kit/host/telemetry/telemetry.ts';
import { startChat } from '../testing/chat.ts';

test('an answer names its trace, which has its stages in order', async () => {
  const exporter = new InMemorySpanExporter();
  const telemetry = startTelemetry(undefined, 'test', { exporter });
  await using chat = await startChat();
  const { done } = await chat.ask({ question: 'traced?' });
  await telemetry.flush();
  const spans = exporter.getFinishedSpans().filter((span) => span.spanContext().traceId === done?.traceId);
  const stages = ['chat.request', 'cache.get', 'rag.rewrite', 'prompt.build', 'cache.set'];
  expect(spans.map(({ name }) => name).sort()).toEqual([...stages].sort());
  // Starts are in whole milliseconds, so two stages may share one: none may start before the stage ahead of it.
  const starts = stages.map((stage) => startOf(spans.find(({ name }) => name === stage)));
  expect(starts).toEqual([...starts].sort((a, b) => a - b));
  expect(done?.traceId).toMatch(/^[0-9a-f]{32}$/);
  expect(chat.seen.records[0]?.traceId).toBe(done?.traceId);
  await telemetry.close();
});

function startOf(span: ReadableSpan | undefined): number {
  const [seconds, nanos] = span?.startTime ?? [0, 0];
  return seconds * 1000 + nanos / 1e6;
}
