import { InMemorySpanExporter } from '@opentelemetry/sdk-trace-node';
import { expect, test } from 'vitest';
import { startTelemetry } from '#kit/telemetry.ts';
import { startChat } from './testing.ts';

test('an answer names its trace, which tells its stages in their order', async () => {
  const exporter = new InMemorySpanExporter();
  const telemetry = startTelemetry(undefined, 'test', exporter);
  await using chat = await startChat();
  const { done } = await chat.ask({ question: 'traced?' });
  await telemetry.flush();
  const spans = exporter.getFinishedSpans().filter((span) => span.spanContext().traceId === done?.traceId);
  const inOrder = spans.sort((a, b) => a.startTime[0] - b.startTime[0] || a.startTime[1] - b.startTime[1]);
  expect(inOrder.map(({ name }) => name)).toEqual([
    ...['chat.request', 'cache.get', 'rag.rewrite', 'prompt.build', 'cache.set'],
  ]);
  expect(done?.traceId).toMatch(/^[0-9a-f]{32}$/);
  expect(chat.seen.records[0]?.traceId).toBe(done?.traceId);
  await telemetry.close();
});
