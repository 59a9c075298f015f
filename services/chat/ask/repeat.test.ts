import { create, equals } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Hit, HitSchema, type LookupRequest } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import { type AskResponse, AskResponseSchema } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { CuratedAnswerService } from '#gen/ragmesh/chat/v1/curated_pb.ts';
import { AnswerOutcome, CacheLayer } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { type ChatMesh, gather, passagesOf, says, startChat } from '../testing/chat.ts';

// Questions that the cache answers again and again.

let chat: ChatMesh;
let now = Date.now();
let hits: Map<string, Hit>;
beforeAll(async () => {
  chat = await startChat({ clock: () => now });
  chat.script.lookup = async function* (request) {
    const hit = request.refresh ? undefined : hits.get(keyOf(request));
    if (hit === undefined) yield { case: 'lease', value: { leaseId: 'l', ttlMs: 1000 } };
    else yield { case: 'hit', value: hit };
  };
});
afterAll(() => chat.mesh.close());
beforeEach(() => {
  hits = new Map();
  for (const list of Object.values(chat.seen)) list.length = 0;
});

const keyOf = ({ question, scope }: Pick<LookupRequest, 'question' | 'scope'>) =>
  `${question} ${scope?.parameters.top_k} ${scope?.language}`;

/** An answer in memory: the same message each time. */
function hitOf(text: string, outcome: AnswerOutcome = AnswerOutcome.ANSWERED): Hit {
  const passages = passagesOf('Q: How long is the warranty?\nTwo years.', 'Q: Who pays the postage?\nThe shop.');
  const usage = { promptTokens: 50n, completionTokens: 5n, fromCache: true };
  return create(HitSchema, {
    layer: CacheLayer.MEMORY,
    events: [
      { event: { case: 'sources', value: { passages } } },
      { event: { case: 'textDelta', value: { text: `${text} [1]` } } },
      { event: { case: 'citation', value: { marker: 1, chunkId: 'd1#0', documentId: 'd1', corpus: 'help' } } },
      { event: { case: 'usage', value: usage } },
      { event: { case: 'done', value: { outcome, model: 'writer', verified: true } } },
    ],
  });
}

async function askFor(request: Parameters<ChatMesh['ask']>[0]) {
  const responses: AskResponse[] = [];
  const asked = await gather(chat.client.ask(request, await chat.mesh.as()), (response) => responses.push(response));
  return { ...asked, responses };
}

/** A response without what is of one answer alone. */
function common(response: AskResponse): AskResponse {
  const { event } = response;
  if (event.case === 'started') return own({ case: 'started', value: { ...event.value, answerId: '' } });
  if (event.case === 'stage') return own({ case: 'stage', value: { ...event.value, latencyUs: 0n } });
  if (event.case === 'done') return own({ case: 'done', value: { ...event.value, answerId: '', traceId: '' } });
  return response;
}
const own = (event: AskResponse['event']) => create(AskResponseSchema, { event });

async function learn(question: string, hit: Hit): Promise<void> {
  await askFor({ question });
  const { scope } = chat.seen.lookups.at(-1) as LookupRequest;
  hits.set(keyOf({ question, scope }), hit);
}

test.each([
  ['an answer', AnswerOutcome.ANSWERED, 'How long is the warranty of lamps?'],
  ['a refusal', AnswerOutcome.REFUSED, 'How long is the warranty of clouds?'],
  ['a refusal with a remark', AnswerOutcome.REFUSED, 'Wie lange kann ich die Lampe zurückgeben?'],
])(
  '%s that is repeated is the same but for its ids and times, and is recorded each time',
  async (_, outcome, question) => {
    await learn(question, hitOf('Two years', outcome));
    chat.seen.records.length = 0;
    const asked = [await askFor({ question }), await askFor({ question }), await askFor({ question })];
    const [first, ...others] = asked.map(({ responses }) => responses.map(common));
    for (const other of others) {
      expect(other.length).toBe(first?.length);
      expect(other.every((response, at) => equals(AskResponseSchema, response, first?.[at] as AskResponse))).toBe(true);
    }
    expect(new Set(asked.map(({ answerId }) => answerId)).size).toBe(3);
    expect(asked.map(({ done }) => done?.answerId)).toEqual(asked.map(({ answerId }) => answerId));
    expect(chat.seen.records.map(({ answerId }) => answerId)).toEqual(asked.map(({ answerId }) => answerId));
    for (const { answer, citedMarkers, evidence, firstTextUs, totalUs } of chat.seen.records) {
      expect({ answer, citedMarkers, evidence }).toEqual({
        answer: chat.seen.records[0]?.answer,
        citedMarkers: [1],
        evidence: chat.seen.records[0]?.evidence,
      });
      expect(firstTextUs).toBeGreaterThan(0n);
      expect(totalUs).toBeGreaterThanOrEqual(firstTextUs);
    }
  },
);

test('suggestions follow the answer of the cache', async () => {
  await learn('How long is the warranty?', hitOf('Two years'));
  for (let count = 0; count < 3; count++) {
    const { kinds } = await askFor({ question: 'How long is the warranty?' });
    expect(kinds.filter((kind) => kind !== 'stage')).toEqual([
      ...['started', 'sources', 'textDelta', 'citation', 'usage', 'suggestions', 'done'],
    ]);
  }
});

test('a curated answer comes before one that was repeated', async () => {
  const question = 'Are you open on Sundays?';
  await learn(question, hitOf('Maybe'));
  for (let count = 0; count < 3; count++) expect((await askFor({ question })).text).toBe('Maybe [1]');
  const operator = await chat.mesh.as(testPrincipal({ user: 'op', roles: [Role.OPERATOR] }));
  const entry = { id: 'open', corpus: 'help', questions: [question], answer: 'We are closed.' };
  await chat.mesh.client(CuratedAnswerService).putCuratedAnswer(entry, operator);
  now += 1001;
  expect((await askFor({ question })).text).toBe('We are closed. [1]');
  await chat.mesh.client(CuratedAnswerService).deleteCuratedAnswer({ id: 'open' }, operator);
  now += 1001;
});

test('in any order of questions and changes, each has the answer that the cache has for it, or a new one', async () => {
  const questions = ['How long is the warranty?', 'Who pays the postage?', '保修多久？'];
  chat.script.generate = () => says('Generated [1].');
  const step = fc.record({
    question: fc.constantFrom(...questions),
    change: fc.constantFrom('none', 'none', 'none', 'replace', 'remove'),
    topK: fc.constantFrom(0, 0, 3),
    createSession: fc.boolean(),
    bypassCache: fc.constantFrom(false, false, false, true),
  });
  let version = 0;
  const run = fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
    hits.clear();
    for (const { change, ...request } of steps) {
      chat.seen.lookups.length = 0;
      const before = await askFor(request);
      const key = keyOf(chat.seen.lookups.at(-1) as LookupRequest);
      const text = () => (request.bypassCache ? undefined : hits.get(key)?.events[1]?.event.value);
      const expected = () => (text() as { text: string } | undefined)?.text ?? 'Generated [1].';
      expect(before.text).toBe(expected());
      expect(before.sessionId !== '').toBe(request.createSession);
      if (change === 'remove') hits.delete(key);
      if (change === 'replace') hits.set(key, hitOf(`Version ${++version}`));
      const after = await askFor(request);
      expect(after.text).toBe(expected());
      expect(chat.seen.records.at(-1)).toMatchObject({ answerId: after.answerId, answer: after.text });
    }
  });
  await fc.assert(run, { numRuns: 25 });
});
