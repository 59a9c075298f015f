import { describe, expect, test } from 'vitest';
import { Outcome } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import type { Clocks } from '../config.ts';
import type { ProviderEvent } from '../providers/llm-provider.ts';
import { startTimed } from './clocks.ts';

const started: ProviderEvent = { kind: 'started', model: 'm', warnings: [] };
const text: ProviderEvent = { kind: 'text', text: 'a' };
const empty: ProviderEvent = { kind: 'text', text: '' };
const counted: ProviderEvent = {
  kind: 'usage',
  usage: {
    promptTokens: 1,
    completionTokens: 0,
    cachedPromptTokens: undefined,
    cacheWriteTokens: undefined,
    reasoningTokens: undefined,
  },
};
const end: ProviderEvent = { kind: 'end', outcome: Outcome.COMPLETE, reason: 'stop' };
const never = new AbortController().signal;
const clocks: Clocks = { connectMs: 50, headersMs: 60, firstTokenMs: 90, idleMs: 40, totalMs: 5000, wholeMs: 5000 };

/** Events, and then silence until the work is stopped. */
function silentAfter(given: ProviderEvent[], settings: Clocks = clocks, caller: AbortSignal = never) {
  let work: AbortSignal | undefined;
  const events = startTimed(
    async function* (signal) {
      work = signal;
      yield* given;
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    },
    settings,
    caller,
  );
  return { events, isStopped: () => work?.aborted };
}
async function drain(events: ReturnType<typeof startTimed>): Promise<ProviderEvent[]> {
  const seen: ProviderEvent[] = [];
  for (let next = await events.next(); next !== undefined; next = await events.next()) seen.push(next);
  return seen;
}

describe('a clock runs out', () => {
  test.each([
    ['without a head', [], clocks, 'did not answer within 60 ms'],
    ['without content, whatever else comes', [started, counted, empty], clocks, 'gave no first token within 90 ms'],
    ['after a token', [started, text, text], clocks, 'no further token within 40 ms'],
    ['for all of it', [started, text], { ...clocks, totalMs: 30 }, 'did not end within 30 ms'],
  ])('%s', async (_, given, settings, message) => {
    const { events, isStopped } = silentAfter(given, settings);
    await expect(drain(events)).rejects.toMatchObject({ kind: 'timeout', message: expect.stringContaining(message) });
    expect(isStopped()).toBe(true);
  });
});

test('after the end, silence is the end', async () => {
  const { events, isStopped } = silentAfter([started, text, end]);
  expect(await drain(events)).toEqual([started, text, end]);
  expect(isStopped()).toBe(true);
});

test('a consumer that takes its time is not the provider’s fault', async () => {
  const events = startTimed(
    async function* () {
      yield* [started, text, text, end];
    },
    clocks,
    never,
  );
  let count = 0;
  while ((await events.next()) !== undefined) {
    count += 1;
    await new Promise((resolve) => setTimeout(resolve, clocks.idleMs + 10));
  }
  expect(count).toBe(4);
});

test('a caller that leaves stops the work immediately, also if the provider ignores its signal', async () => {
  const caller = new AbortController();
  const events = startTimed(
    async function* (): AsyncIterable<ProviderEvent> {
      await new Promise(() => {});
    },
    clocks,
    caller.signal,
  );
  const reason = new Error('gone');
  const next = events.next();
  caller.abort(reason);
  await expect(next).rejects.toBe(reason);
});
