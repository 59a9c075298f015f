import { expect, test } from 'vitest';
import { Outcome } from '#gen/ragmesh/llm/v1/llm_pb.ts';
import { collect } from '#kit/streams.ts';
import type { ProviderEvent } from './llm-provider.ts';
import { withPatience } from './patience.ts';

const started: ProviderEvent = { kind: 'started', model: 'm' };
const text: ProviderEvent = { kind: 'text', text: 'a' };
const end: ProviderEvent = { kind: 'end', outcome: Outcome.COMPLETE, reason: 'stop' };
const patience = { firstDeltaMs: 60, idleMs: 40 };

/** Events, and then silence until the work is stopped. */
const silentAfter = (...events: ProviderEvent[]) => {
  const stop = new AbortController();
  const work = async function* (): AsyncIterable<ProviderEvent> {
    yield* events;
    await new Promise<void>((resolve) => stop.signal.addEventListener('abort', () => resolve(), { once: true }));
  };
  return { stop, events: withPatience(work(), patience, stop) };
};

test.each([
  ['nothing comes', [], 'gave no first token within 60 ms'],
  ['nothing but the start comes', [started], 'gave no first token within 60 ms'],
  ['nothing comes after a token', [started, text], 'fell silent: no further token within 40 ms'],
])('the work is stopped and fails where %s', async (_, given, message) => {
  const { stop, events } = silentAfter(...given);
  await expect(collect(events)).rejects.toThrow(message);
  expect(stop.signal.aborted).toBe(true);
});

test('after the end, silence is the end', async () => {
  const { stop, events } = silentAfter(started, text, end);
  expect(await collect(events)).toEqual([started, text, end]);
  expect(stop.signal.aborted).toBe(true);
});

test('a consumer that takes its time is not the provider’s fault', async () => {
  const stop = new AbortController();
  const work = async function* () {
    yield* [started, text, text, end];
  };
  let count = 0;
  for await (const _ of withPatience(work(), patience, stop)) {
    count++;
    await new Promise((resolve) => setTimeout(resolve, patience.firstDeltaMs + 20));
  }
  expect(count).toBe(4);
});

test('a consumer that leaves stops the work', async () => {
  const { stop, events } = silentAfter(started, text);
  for await (const { kind } of events) if (kind === 'text') break;
  expect(stop.signal.aborted).toBe(true);
});
