import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MidStreamPolicy, Outcome } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { doneOf, eventually, modelAt, plainQuestion, startTestGateway, textOf } from '../testing/gateway.ts';
import {
  completion,
  content,
  cutAfter,
  doneMark,
  eitherWay,
  failed,
  finish,
  inOnePiece,
  type Responder,
  startFakeProvider,
  streamed,
  usage,
} from '../testing/provider-server.ts';

// Whatever providers do, in whatever order: what is not whole is never called so, and nothing is charged twice.

const answer = 'A refund takes five days.';
const words = ['A refund ', 'takes ', 'five days.'].map(content);
const half = words.slice(0, 2);

const halfPiece = JSON.stringify(completion(answer, 'stop', 10, 5)).slice(0, 80);

/** What a provider may do, and whether it wants money for it. */
const deeds: Record<string, { reply: Responder; isWhole?: boolean; isCharged: boolean }> = {
  whole: { reply: streamed([...words, finish('stop'), usage(10, 5), doneMark]), isWhole: true, isCharged: true },
  wholeEitherWay: {
    reply: eitherWay(
      streamed([...words, finish('stop'), usage(10, 5), doneMark]),
      inOnePiece(completion(answer, 'stop', 10, 5)),
    ),
    isWhole: true,
    isCharged: true,
  },
  lengthEitherWay: {
    reply: eitherWay(
      streamed([...half, finish('length'), usage(10, 5), doneMark]),
      inOnePiece(completion('A refund takes', 'length', 10, 5)),
    ),
    isCharged: true,
  },
  cutEitherWay: { reply: eitherWay(cutAfter(half), cutAfter([halfPiece])), isCharged: true },
  endedEitherWay: { reply: eitherWay(streamed(half), streamed([halfPiece])), isCharged: true },
  wholeWithoutUsage: { reply: streamed([...words, finish('stop'), doneMark]), isWhole: true, isCharged: true },
  length: { reply: streamed([...half, finish('length'), usage(10, 5), doneMark]), isCharged: true },
  filtered: { reply: streamed([...half, finish('content_filter'), doneMark]), isCharged: true },
  truncated: { reply: streamed([...words, doneMark]), isCharged: true },
  ended: { reply: streamed(half), isCharged: true },
  cut: { reply: cutAfter(half), isCharged: true },
  error: { reply: streamed([...half, { error: { message: 'gone' } }, doneMark]), isCharged: true },
  garbage: { reply: streamed([...half, 'data: {{{\n\n']), isCharged: true },
  unknownEnd: { reply: streamed([...words, finish('whatever'), doneMark]), isCharged: true },
  empty: { reply: streamed([doneMark]), isCharged: true },
  overloaded: { reply: failed(503, {}), isCharged: false },
  limited: { reply: failed(429, { code: 'rate_limit_exceeded' }, { 'retry-after-ms': '10' }), isCharged: false },
  noMoney: { reply: failed(429, { code: 'insufficient_quota' }), isCharged: false },
  refused: { reply: (response) => response.destroy(), isCharged: false },
};
const names = Object.keys(deeds);
const policies = [MidStreamPolicy.FAIL, MidStreamPolicy.RESTART, MidStreamPolicy.CONTINUE, MidStreamPolicy.HOLD_BACK];

test('random sequences of faults never give a truncated answer as complete, and never charge twice', async () => {
  const scripts = new Map<string, { left: string[]; done: string[] }>();
  await using server = await startFakeProvider((response, request, body) => {
    const { messages } = body as { messages: { content: string }[] };
    const run = /run (\d+)/.exec(messages.map((message) => message.content).join('\n'))?.[1] ?? '';
    const script = scripts.get(run);
    const name = script?.left.shift() ?? 'whole';
    script?.done.push(name);
    return deeds[name]?.reply(response, request, body);
  });
  const prefill = true;
  await using gateway = await startTestGateway({
    models: [
      modelAt(server.url, 'a', { prefill, whole: true }),
      modelAt(server.url, 'b'),
      modelAt(server.url, 'c', { prefill, whole: true }),
    ],
    routes: [{ name: 'all', models: ['a', 'b', 'c'] }],
    maxAttempts: 5,
    breaker: { failures: 1000 },
    limits: { defaultTenant: { tokensPerMinute: 1_000_000_000n } },
  });
  let count = 0;
  let chargedRuns = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(...names), { maxLength: 6 }),
      fc.constantFrom(...policies),
      async (deedsInOrder, midStreamPolicy) => {
        const run = String(++count);
        const script = { left: [...deedsInOrder], done: [] as string[] };
        scripts.set(run, script);
        const request = {
          model: 'all',
          requestId: `request-${run}`,
          midStreamPolicy,
          messages: [{ ...plainQuestion, text: `run ${run}: how long does it take?` }],
        };
        const [result] = await Promise.allSettled([gateway.ask(request)]);
        const last = deeds[script.done.at(-1) ?? ''];
        if (result.status === 'fulfilled' && doneOf(result.value).outcome === Outcome.COMPLETE) {
          expect(last?.isWhole).toBe(true);
          const text = textOf(result.value);
          expect(midStreamPolicy === MidStreamPolicy.CONTINUE ? text.endsWith(answer) : text === answer).toBe(true);
        } else {
          expect(last?.isWhole ?? false).toBe(false);
        }
        // The same request again, as a client does that lost the reply: the ledger has what the first one cost, once.
        const charged = script.done.filter((name) => deeds[name]?.isCharged).length;
        if (charged === 0) return;
        chargedRuns += 1;
        await eventually(() => expect(gateway.entries.has(`request-${run}`)).toBe(true));
        const entry = gateway.entries.get(`request-${run}`);
        expect(entry?.usages.length).toBe(charged);
        await Promise.allSettled([gateway.ask(request)]);
        expect(gateway.entries.get(`request-${run}`)).toBe(entry);
      },
    ),
    { numRuns: 40 },
  );
  expect(gateway.entries.size).toBe(chargedRuns);
  expect(await gateway.metric('ragmesh_llm_requests{state="admitted"}')).toBe(0);
  for (const model of ['a', 'b', 'c']) {
    expect(await gateway.metric(`ragmesh_llm_in_flight{model="${model}",state="under_way"}`)).toBe(0);
  }
});
