import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { type Client, createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  type AnswerForm,
  AnswerFormSchema,
  ChatService,
  type RepeatRequest,
  type RepeatResponseSchema,
} from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { AnswerOutcome, CacheLayer } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { unavailable } from '#kit/base/errors.ts';
import { collect } from '#kit/base/streams.ts';
import { type AskEvent, type EdgeMesh, startEdgeMesh } from '../testing/stand-ins.ts';

// Questions that are repeated, as callers of the edge see them.

/** What the stand-in of chat has for each question: the text, and the name of its form. */
let texts: Map<string, string>;
let repeats: RepeatRequest[];
let isAway: boolean;
let held: PromiseWithResolvers<void> | undefined;
let now: number;
let answerCount: number;

const passage = { chunkId: 'c1', documentId: 'd1', corpus: 'help', title: 'Returns', text: 'Within 30 days.' };
function formOf(text: string): AnswerForm {
  const responses: AskEvent[] = [
    { case: 'started', value: { standaloneQuestion: 'q' } },
    { case: 'stage', value: { stage: 1, status: 2, detail: 'hit in memory' } },
    { case: 'sources', value: { passages: [passage] } },
    { case: 'textDelta', value: { text } },
    { case: 'citation', value: { ...passage, marker: 1 } },
  ];
  return create(AnswerFormSchema, {
    form: `form of ${text}`,
    responses: responses.map((event) => ({ event }) as never),
  });
}
const doneOf = (answerId: string) => ({
  case: 'done' as const,
  value: { outcome: AnswerOutcome.ANSWERED, answerId, cacheLayer: CacheLayer.MEMORY },
});

async function repeat(request: RepeatRequest): Promise<MessageInitShape<typeof RepeatResponseSchema>> {
  repeats.push(request);
  if (isAway) throw unavailable('chat', 'away');
  await held?.promise;
  const forms = new Map<string, AnswerForm>();
  const answers = request.asks.map(({ request: asked, form: known }) => {
    const text = texts.get(asked?.question ?? '');
    if (text === undefined) return {};
    const form = formOf(text);
    if (known !== form.form) forms.set(form.form, form);
    const answerId = `repeated-${++answerCount}`;
    return { form: form.form, answerId, latencyUs: 7n, ending: [{ event: doneOf(answerId) }] };
  });
  return { answers, forms: [...forms.values()] };
}

describe.each([
  ['in one process', false],
  ['in processes of their own', true],
])('edge and chat %s', (_, apart) => {
  let edge: EdgeMesh;
  let chat: Client<typeof ChatService>;
  beforeEach(async () => {
    texts = new Map();
    repeats = [];
    isAway = false;
    held = undefined;
    now = Date.now();
    answerCount = 0;
    edge = await startEdgeMesh({
      ...{ apart, repeat, clock: () => now },
      async *answer({ question }) {
        const answerId = `asked-${++answerCount}`;
        yield { case: 'started', value: { answerId, standaloneQuestion: 'q' } };
        yield { case: 'textDelta', value: { text: texts.get(question) ?? `Generated ${answerCount}` } };
        yield texts.has(question) ? doneOf(answerId) : { case: 'done', value: { outcome: 1, answerId } };
      },
    });
    chat = createClient(ChatService, createConnectTransport({ baseUrl: edge.url, httpVersion: '2' }));
  });
  afterEach(() => edge[Symbol.asyncDispose]());

  const ask = async (question: string, more: { createSession?: boolean; signal?: AbortSignal } = {}) => {
    const { signal, ...request } = more;
    const options = { headers: edge.authorization, ...(signal && { signal }) };
    const responses = await collect(chat.ask({ question, ...request }, options));
    const ids = responses.flatMap(({ event }) =>
      event.case === 'started' || event.case === 'done' ? event.value.answerId : [],
    );
    expect(ids).toEqual([ids[0], ids[0]]);
    const text = responses.map(({ event }) => (event.case === 'textDelta' ? event.value.text : '')).join('');
    return { id: ids[0] ?? '', text, responses };
  };

  test('a question that the cache has answered is repeated, with ids of its own on every face', async () => {
    texts.set('when?', 'Within 30 days [1].');
    expect((await ask('when?')).id).toBe('asked-1');
    const { id, text, responses } = await ask('when?');
    expect([id, text]).toEqual(['repeated-2', 'Within 30 days [1].']);
    expect(responses[1]?.event.value).toMatchObject({ latencyUs: 7n, detail: 'hit in memory' });
    const sse = await fetch(`${edge.url}/v1/chat/stream`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...edge.authorization },
      body: '{"query":"when?"}',
    });
    const events = await sse.text();
    expect(events).toContain('event: message\ndata: {"content":"Within 30 days [1]."}');
    expect(events).toContain('"answer_id":"repeated-3"');
    expect(events).toMatch(/"citations":\[\{"marker":1,"chunk_id":"c1"/);
    expect(repeats.map(({ asks }) => asks.map(({ form }) => form))).toEqual([[''], ['form of Within 30 days [1].']]);
    expect(edge.seen.questions).toHaveLength(1);
  });

  test('questions of one moment leave together, and each has its own answer', async () => {
    for (const question of ['a', 'b', 'c']) {
      texts.set(question, `Answer ${question}`);
      await ask(question);
    }
    const asked = Array.from({ length: 90 }, (_, index) => ['a', 'b', 'c'][index % 3] as string);
    const answers = await Promise.all(asked.map((question) => ask(question)));
    expect(answers.map(({ text }) => text)).toEqual(asked.map((question) => `Answer ${question}`));
    expect(new Set(answers.map(({ id }) => id)).size).toBe(90);
    expect(Math.max(...repeats.map(({ asks }) => asks.length))).toBeLessThanOrEqual(64);
    expect(repeats.length).toBeLessThan(45);
  });

  test('an answer that changes is the new one at the next question', async () => {
    texts.set('when?', 'Old');
    for (const expected of ['Old', 'Old', 'Old']) expect((await ask('when?')).text).toBe(expected);
    texts.set('when?', 'New');
    expect((await ask('when?')).text).toBe('New');
    texts.delete('when?');
    expect((await ask('when?')).text).toMatch(/^Generated/);
  });

  test('what is not repeated is asked, and not tried again for ten seconds', async () => {
    texts.set('when?', 'Old');
    await ask('when?');
    isAway = true;
    expect((await ask('when?')).id).toMatch(/^asked/);
    isAway = false;
    for (let count = 0; count < 3; count++) expect((await ask('when?')).id).toMatch(/^asked/);
    expect(repeats).toHaveLength(1);
    now += 10_001;
    await ask('when?');
    expect((await ask('when?')).id).toMatch(/^repeated/);
  });

  test('a question of a session is always asked', async () => {
    texts.set('when?', 'Old');
    for (let count = 0; count < 3; count++) {
      expect((await ask('when?', { createSession: true })).id).toMatch(/^asked/);
    }
    expect(repeats).toHaveLength(0);
  });

  test('a caller that leaves does not wait for its answer', async () => {
    texts.set('when?', 'Old');
    await ask('when?');
    held = Promise.withResolvers();
    const leaving = new AbortController();
    const asked = ask('when?', { signal: leaving.signal });
    await expect.poll(() => repeats.length, { interval: 5 }).toBe(1);
    leaving.abort();
    await expect(asked).rejects.toThrow();
    held.resolve();
    held = undefined;
    expect((await ask('when?')).id).toMatch(/^repeated/);
  });
});
