import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { AnswerOutcome, CacheLayer } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { Outcome } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { Leg } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { rpcError, unavailable } from '#kit/base/errors.ts';
import type { ChatSettings } from '../config.ts';
import {
  type ChatMesh,
  found,
  type GatheredAnswer,
  type LookupEvent,
  passagesOf,
  says,
  startChat,
} from '../testing/chat.ts';

// Each degradation is declared, in a stage and at the end, and the answer continues.

let chat: ChatMesh;
let original: ChatMesh['script'];
beforeAll(async () => {
  chat = await startChat();
  original = { ...chat.script };
});
afterAll(() => chat.mesh.close());
beforeEach(() => {
  Object.assign(chat.script, original);
  for (const list of Object.values(chat.seen)) list.length = 0;
});

const stagesOf = ({ done }: GatheredAnswer) => done?.degradations.map(({ stage, effect }) => [stage, effect]);
const until = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
const down = () => unavailable('stand-in', 'the stand-in is down');

async function* fails(): AsyncGenerator<never> {
  yield* [];
  throw down();
}

describe('the cache', () => {
  test.each<[string, NonNullable<ChatMesh['script']['lookup']>]>([
    ['fails', fails],
    ['says nothing', async function* () {}],
  ])('that %s is not used, and the answer says so', async (name, lookup) => {
    chat.script.lookup = lookup;
    const asked = await chat.ask({ question: `cache ${name}` });
    expect(asked).toMatchObject({ text: 'Seven days [1].', done: { outcome: AnswerOutcome.ANSWERED } });
    expect(stagesOf(asked)).toEqual([[Stage.CACHE, 'continued without the cache']]);
    expect(asked.stages.some((stage) => stage.startsWith('CACHE DEGRADED'))).toBe(true);
    expect(chat.seen.fills).toEqual([]);
  });

  test('that fails in the middle of an answer is replaced by a generation', async () => {
    chat.script.lookup = async function* (): AsyncGenerator<LookupEvent> {
      yield { case: 'hit', value: { layer: CacheLayer.MEMORY } };
      yield { case: 'answer', value: { event: { case: 'textDelta', value: { text: 'half an ans' } } } };
      yield* fails();
    };
    const asked = await chat.ask({ question: 'how long is the warranty?' });
    expect(asked).toMatchObject({ text: 'Seven days [1].', done: { cacheLayer: CacheLayer.UNSPECIFIED } });
    expect(asked.kinds).toContain('reset');
    expect(stagesOf(asked)).toEqual([[Stage.CACHE, 'generated the answer instead']]);
  });

  test('that loses a followed generation grants the follower a lease, which it fills', async () => {
    chat.script.lookup = async function* (): AsyncGenerator<LookupEvent> {
      yield { case: 'follow', value: {} };
      yield { case: 'answer', value: { event: { case: 'textDelta', value: { text: 'half' } } } };
      yield { case: 'answer', value: { event: { case: 'reset', value: { reason: 'gone' } } } };
      yield { case: 'lease', value: { leaseId: 'mine', ttlMs: 1000 } };
    };
    const asked = await chat.ask({ question: 'let down' });
    expect(asked).toMatchObject({ text: 'Seven days [1].', done: { degradations: [] } });
    expect(asked.stages).toContain('CACHE FINISHED following a generation in flight');
    expect(chat.seen.fills.map(({ ended }) => ended)).toEqual(['commit']);
  });

  test('that loses a followed generation keeps what was shown if the new text begins with the same words', async () => {
    chat.script.lookup = async function* (): AsyncGenerator<LookupEvent> {
      yield { case: 'follow', value: {} };
      const passages = passagesOf('Returns are free for seven days.', 'Exchanges take two weeks.');
      yield { case: 'answer', value: { event: { case: 'sources', value: { passages } } } };
      yield { case: 'answer', value: { event: { case: 'textDelta', value: { text: 'Seven da' } } } };
      yield { case: 'lease', value: { leaseId: 'mine', ttlMs: 1000 } };
    };
    const asked = await chat.ask({ question: 'let down, and goes on' });
    expect(asked).toMatchObject({ text: 'Seven days [1].', done: { degradations: [] } });
    expect(asked.kinds).not.toContain('reset');
    expect(asked.kinds.filter((kind) => kind === 'sources')).toHaveLength(1);
    const [fill] = chat.seen.fills;
    const recorded = fill?.events.map(({ event }) => (event.case === 'textDelta' ? event.value.text : '')).join('');
    expect(recorded).toBe('Seven days [1].');
    expect(chat.seen.records[0]?.answer).toBe('Seven days [1].');
  });

  test('is not asked if the revisions of the corpora are not known', async () => {
    chat.script.corpora = async () => {
      throw down();
    };
    const asked = await chat.ask({ question: 'no revisions' });
    expect(asked.text).toBe('Seven days [1].');
    expect(stagesOf(asked)).toEqual([[Stage.CACHE, 'continued without the cache']]);
    expect(chat.seen.lookups).toEqual([]);
  });
});

describe('retrieval', () => {
  test('with a leg or the rerank missing says so in the answer', async () => {
    const vector = { stage: Stage.VECTOR_SEARCH, reason: 'late', effect: 'keywords alone' };
    const rerank = { stage: Stage.RERANK, reason: 'down', effect: 'kept the fused order' };
    chat.script.retrieve = async function* () {
      yield { case: 'leg', value: { leg: Leg.VECTOR, degradation: vector } };
      yield { case: 'leg', value: { leg: Leg.KEYWORD, latencyUs: 7n } };
      yield { case: 'fused', value: { passages: passagesOf('Free for seven days.'), degradations: [vector, rerank] } };
    };
    const asked = await chat.ask({ question: 'legs' });
    expect(asked.done?.outcome).toBe(AnswerOutcome.ANSWERED);
    expect(stagesOf(asked)).toEqual([
      [Stage.VECTOR_SEARCH, 'keywords alone'],
      [Stage.RERANK, 'kept the fused order'],
    ]);
    expect(asked.stages).toContain('VECTOR_SEARCH DEGRADED late: keywords alone');
    expect(chat.seen.records[0]?.degradations).toHaveLength(2);
  });

  test.each<[string, ChatMesh['script']['retrieve']]>([
    ['fails', fails],
    ['ends without a result', async function* () {}],
  ])('that %s is an honest refusal, which is not the same as nothing found', async (name, retrieve) => {
    chat.script.retrieve = retrieve;
    const asked = await chat.ask({ question: `search ${name}` });
    expect(asked.done?.outcome).toBe(AnswerOutcome.REFUSED);
    expect(asked.text).toMatch(/search is unavailable/);
    expect(stagesOf(asked)).toEqual([[Stage.RETRIEVE, 'said that search is unavailable']]);
    expect(chat.seen.generated).toEqual([]);
  });
});

describe('the model', () => {
  const firstFails =
    (how: () => AsyncGenerator<never>): ChatMesh['script']['generate'] =>
    ({ model }) =>
      model === 'extractive' ? says('Quoted [2].') : how();

  test.each<[string, () => AsyncGenerator<never>]>([
    ['fails', fails],
    ['ends without a word', async function* () {}],
  ])('that %s before its first word is replaced by the one that quotes', async (name, how) => {
    chat.script.generate = firstFails(how);
    const asked = await chat.ask({ question: `model ${name}` });
    expect(asked).toMatchObject({
      text: 'Quoted [2].',
      done: { outcome: AnswerOutcome.ANSWERED, model: 'extractive' },
    });
    expect(stagesOf(asked)).toEqual([[Stage.GENERATE, 'quoted the evidence instead']]);
    expect(chat.seen.generated.map(({ model }) => model)).toEqual(['writer', 'extractive']);
  });

  test('that fails without a fallback is an error that says to try again', async () => {
    chat.script.generate = fails;
    await expect(chat.ask({ question: 'both fail' })).rejects.toMatchObject({ code: Code.Unavailable });
    await expect(chat.ask({ question: 'it fails', model: 'extractive' })).rejects.toMatchObject({
      code: Code.Unavailable,
    });
    expect(chat.seen.fills.map(({ ended }) => ended)).toEqual(['abandon', 'abandon']);
  });

  test('that does not exist is an error of the caller', async () => {
    chat.script.generate = async function* () {
      yield* [];
      throw rpcError(Code.InvalidArgument, ErrorReason.MODEL_UNKNOWN, 'no model "x"');
    };
    await expect(chat.ask({ question: 'which', model: 'x' })).rejects.toMatchObject({ code: Code.InvalidArgument });
  });

  test('that fails after its first word leaves a part that says so', async () => {
    chat.script.generate = async function* () {
      yield { case: 'textDelta', value: { text: 'Seven days [1] and ' } };
      yield* fails();
    };
    const asked = await chat.ask({ question: 'broken off' });
    expect(asked).toMatchObject({ text: 'Seven days [1] and ', done: { outcome: AnswerOutcome.TRUNCATED } });
    expect(stagesOf(asked)).toEqual([[Stage.GENERATE, 'the answer is a part']]);
    expect(chat.seen.records[0]).toMatchObject({ outcome: AnswerOutcome.TRUNCATED, answer: 'Seven days [1] and ' });
    expect(chat.seen.fills.map(({ ended }) => ended)).toEqual(['abandon']);
  });

  test('that cites nothing is reported', async () => {
    chat.script.generate = () => says('Trust me [9].');
    const asked = await chat.ask({ question: 'uncited' });
    expect(asked).toMatchObject({ text: 'Trust me.', done: { outcome: AnswerOutcome.ANSWERED } });
    expect(stagesOf(asked)).toEqual([[Stage.VALIDATE, 'answer has no citation']]);
  });

  test('that is not listed is still asked', async () => {
    await using other = await startChat();
    other.script.models = [];
    const asked = await other.ask({ question: 'unlisted' });
    expect(asked.text).toBe('Seven days [1].');
    expect(stagesOf(asked)).toEqual([[Stage.CACHE, 'continued without the cache']]);
    expect(asked.done?.model).toBe('provider-model');
  });
});

describe('a dependency that does not answer in time', () => {
  const never = async (signal: AbortSignal): Promise<never> => {
    await until(signal);
    throw down();
  };
  test.each<[string, Partial<ChatSettings>, Partial<ChatMesh['script']>, Stage, AnswerOutcome]>([
    [
      'cache',
      { cacheTimeoutMs: 50 },
      {
        lookup: async function* (_, { signal }) {
          yield await never(signal);
        },
      },
      Stage.CACHE,
      AnswerOutcome.ANSWERED,
    ],
    [
      'list of corpora',
      { listTimeoutMs: 50 },
      { corpora: () => new Promise(() => {}) },
      Stage.CACHE,
      AnswerOutcome.ANSWERED,
    ],
    [
      'retrieval',
      { retrieveTimeoutMs: 50 },
      {
        retrieve: async function* (_, { signal }) {
          yield await never(signal);
        },
      },
      Stage.RETRIEVE,
      AnswerOutcome.REFUSED,
    ],
    ['audit', { recordTimeoutMs: 700 }, { record: () => new Promise(() => {}) }, Stage.AUDIT, AnswerOutcome.ANSWERED],
  ])('is degraded: %s', async (_name, settings, script, stage, outcome) => {
    await using impatient = await startChat({ settings });
    // The first answer fills the list of models.
    await impatient.ask({ question: 'first' });
    Object.assign(impatient.script, script);
    const asked = await impatient.ask({ question: 'late' });
    expect(asked.done?.outcome).toBe(outcome);
    expect(asked.done?.degradations).toMatchObject([{ stage, reason: expect.stringMatching(/deadline exceeded/) }]);
  });
});

test('an audit that fails is declared, and the answer still ends', async () => {
  chat.script.record = async () => {
    throw down();
  };
  const asked = await chat.ask({ question: 'unaudited' });
  expect(asked.done?.outcome).toBe(AnswerOutcome.ANSWERED);
  expect(stagesOf(asked)).toEqual([[Stage.AUDIT, 'the answer is not in the audit']]);
  expect(asked.stages.at(-1)).toMatch(/^AUDIT DEGRADED/);
});

test('what ends a generation early is never mistaken for its end', async () => {
  chat.script.generate = async function* () {
    yield { case: 'textDelta', value: { text: 'tools? [1]' } };
    yield { case: 'done', value: { outcome: Outcome.TOOL_CALLS } };
  };
  expect((await chat.ask({ question: 'tools' })).done?.outcome).toBe(AnswerOutcome.TRUNCATED);
  chat.script.retrieve = () => found(passagesOf('x'));
});
