import { create, equals } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type RecordRequest, RecordRequestSchema } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { type Hit, HitSchema, type LookupRequest } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import { type AskResponse, AskResponseSchema, type RepeatResponse } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { CuratedAnswerService } from '#gen/ragmesh/chat/v1/curated_pb.ts';
import { CacheLayer } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { CorpusSchema } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { withOwnParts } from '#kit/answers/repeat.ts';
import { unavailable } from '#kit/base/errors.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { assignTrials, unitOf } from '../../evidence/trials.ts';
import { type ChatMesh, gather, passagesOf, says, startChat } from '../../testing/chat.ts';

// Answers that are given again, beside the same questions asked.

const halfOnTrial = { version: 4n, canaryPercent: 50 };
let chat: ChatMesh;
let now = Date.now();
let revision = 0;
let isAuditAway = false;
/** What the cache has, by everything that an answer depends on. */
let hits: Map<string, Hit>;
let trial: { version: bigint; canaryPercent: number } | undefined;
const principals = {
  staff: testPrincipal({ groups: ['staff'] }),
  customer: testPrincipal({ user: 'b' }),
  ofLive: testPrincipal({ user: userAssigned(false) }),
  ofCandidate: testPrincipal({ user: userAssigned(true) }),
};

/** Returns a user who is assigned to the version on trial, or to the live one. */
function userAssigned(isCandidate: boolean): string {
  const corpora = [create(CorpusSchema, { name: 'help', liveVersion: 3n, trial: halfOnTrial })];
  for (let number = 0; ; number++) {
    const user = `user-${number}`;
    const [assigned] = assignTrials(corpora, unitOf('', testPrincipal({ user }))).trials;
    if (assigned?.isCandidate === isCandidate) return user;
  }
}

beforeAll(async () => {
  chat = await startChat({ clock: () => now });
  chat.script.corpora = async () => [{ name: 'help', liveVersion: 3n, revision: `r${revision}`, trial }];
  chat.script.generate = () => says('Generated [1].');
  chat.script.lookup = async function* (request, { principal }) {
    const hit = request.refresh ? undefined : hits.get(keyOf(request, principal.groups));
    if (hit !== undefined) yield { case: 'hit', value: hit };
    else if (request.repeatCount === 0) yield { case: 'lease', value: { leaseId: 'l', ttlMs: 1000 } };
  };
  chat.script.record = async () => {
    if (isAuditAway) throw unavailable('audit database', 'away');
  };
});
afterAll(() => chat.mesh.close());
beforeEach(() => {
  hits = new Map();
  isAuditAway = false;
  trial = undefined;
  for (const list of Object.values(chat.seen)) list.length = 0;
});

const keyOf = ({ question, scope }: LookupRequest, groups: readonly string[]) =>
  JSON.stringify([question, scope?.parameters, scope?.corpora.map((corpus) => corpus.revision), groups]);

function hitOf(text: string): Hit {
  const passages = passagesOf('Q: How long is the warranty?\nTwo years.');
  return create(HitSchema, {
    layer: CacheLayer.MEMORY,
    events: [
      { event: { case: 'sources', value: { passages } } },
      { event: { case: 'textDelta', value: { text: `${text} [1]` } } },
      { event: { case: 'citation', value: { marker: 1, chunkId: 'd1#0', documentId: 'd1', corpus: 'help' } } },
      { event: { case: 'usage', value: { promptTokens: 50n, fromCache: true } } },
      { event: { case: 'done', value: { outcome: 1, model: 'writer', verified: true } } },
    ],
  });
}

type Who = keyof typeof principals;
const traceId = 'a'.repeat(32);

async function askAs(who: Who, request: Parameters<ChatMesh['ask']>[0]) {
  const responses: AskResponse[] = [];
  const options = await chat.mesh.as(principals[who]);
  await gather(chat.client.ask(request, options), (response) => responses.push(response));
  return { responses, record: chat.seen.records.at(-1) as RecordRequest };
}

/** Asks a question so that the cache has this answer to it, and it is known how it is given. */
async function learn(who: Who, request: Parameters<ChatMesh['ask']>[0], hit: Hit) {
  await askAs(who, request);
  hits.set(keyOf(chat.seen.lookups.at(-1) as LookupRequest, principals[who].groups), hit);
  return askAs(who, request);
}

async function repeatAs(who: Who, requests: Parameters<ChatMesh['ask']>[0][], form = '') {
  const asks = requests.map((request) => ({ request, form, traceId }));
  return chat.client.repeat({ asks }, await chat.mesh.as(principals[who]));
}

/** Returns the events of each answer; `undefined` for a question that is to be asked. */
function eventsOf({ answers, forms }: RepeatResponse): (AskResponse[] | undefined)[] {
  return answers.map(({ form, answerId, latencyUs, ending }) => {
    if (form === '') return undefined;
    const given = forms.find((each) => each.form === form)?.responses ?? [];
    return [...withOwnParts(given, { answerId, latencyUs: Number(latencyUs) }), ...ending];
  });
}

/** An event without what is of one answer alone. */
function common(response: AskResponse): AskResponse {
  const { event } = response;
  const own = (value: AskResponse['event']) => create(AskResponseSchema, { event: value });
  if (event.case === 'started') return own({ case: 'started', value: { ...event.value, answerId: '' } });
  if (event.case === 'stage') return own({ case: 'stage', value: { ...event.value, latencyUs: 0n } });
  if (event.case === 'done') return own({ case: 'done', value: { ...event.value, answerId: '', traceId: '' } });
  return response;
}

function idOf(events: AskResponse[]): string {
  const last = events.at(-1)?.event;
  return last?.case === 'done' ? last.value.answerId : '';
}

const areSame = (some: AskResponse[], others: AskResponse[]) =>
  some.length === others.length &&
  some.every((each, at) => equals(AskResponseSchema, common(each), common(others[at] as AskResponse)));

const commonRecord = (record: RecordRequest) =>
  create(RecordRequestSchema, {
    ...record,
    ...{ answerId: '', traceId: '', askedAt: undefined, firstTextUs: 0n, totalUs: 0n },
  });

test('answers that are given again have ids of their own, the trace of their question, and a record each', async () => {
  const request = { question: 'How long is the warranty?' };
  const { record } = await learn('staff', request, hitOf('Two years'));
  chat.seen.records.length = 0;
  const response = await repeatAs('staff', [request, request, request]);
  expect(response.forms).toHaveLength(1);
  const ids = response.answers.map(({ answerId }) => answerId);
  expect(new Set(ids).size).toBe(3);
  for (const [index, events] of eventsOf(response).entries()) {
    expect(events?.at(0)?.event.value).toMatchObject({ answerId: ids[index] });
    expect(events?.at(-1)?.event).toMatchObject({ case: 'done', value: { answerId: ids[index], traceId } });
  }
  expect(chat.seen.records.map(({ answerId }) => answerId)).toEqual(ids);
  for (const each of chat.seen.records) {
    expect(equals(RecordRequestSchema, commonRecord(each), commonRecord(record))).toBe(true);
    expect(each.totalUs).toBeGreaterThanOrEqual(each.firstTextUs);
    expect(each).toMatchObject({ traceId, askedAt: expect.anything() });
  }
  // A caller that has the form gets the rest.
  const known = await repeatAs('staff', [request], response.answers[0]?.form);
  expect(known).toMatchObject({ forms: [], answers: [{ form: response.answers[0]?.form }] });
  expect(chat.seen.lookups.at(-2)?.repeatCount).toBe(3);
});

test('an answer that is not in the audit says so', async () => {
  const request = { question: 'Who pays the postage?' };
  await learn('staff', request, hitOf('The shop'));
  isAuditAway = true;
  const [events] = eventsOf(await repeatAs('staff', [request]));
  const { responses } = await askAs('staff', request);
  expect(events?.at(-1)?.event.value).toMatchObject({ degradations: [{ effect: 'the answer is not in the audit' }] });
  expect(areSame(events ?? [], responses)).toBe(true);
});

test('a question of a session, with a history, past the cache, or of a corpus that does not exist is one for Ask', async () => {
  const question = 'How long is the guarantee?';
  await learn('staff', { question }, hitOf('Two years'));
  chat.seen.records.length = 0;
  const { answers } = await repeatAs('staff', [
    { question, createSession: true },
    { question, history: [{ question: 'a', answer: 'b' }] },
    { question, bypassCache: true },
    { question, corpora: ['none'] },
    { question: 'Is this new?' },
    { question },
  ]);
  expect(answers.map(({ form }) => form === '')).toEqual([true, true, true, true, true, false]);
  expect(chat.seen.records).toHaveLength(1);
});

test('a caller who is assigned to a version on trial is not given the answer of the live one, nor the other way round', async () => {
  trial = halfOnTrial;
  const request = { question: 'How long does the repair take?' };
  for (const [own, other] of [
    ['ofLive', 'ofCandidate'],
    ['ofCandidate', 'ofLive'],
  ] as const) {
    hits.clear();
    now += 60_001;
    await learn(own, request, hitOf('Two weeks'));
    expect(eventsOf(await repeatAs(other, [request]))).toEqual([undefined]);
    expect(eventsOf(await repeatAs(own, [request]))).not.toEqual([undefined]);
  }
});

test('callers with different access are both given their own answer again', async () => {
  const request = { question: 'Is the repair free?' };
  await learn('staff', request, hitOf('Yes'));
  await learn('customer', request, hitOf('Not for customers'));
  for (const [who, text] of [
    ['staff', 'Yes'],
    ['customer', 'Not for customers'],
  ] as const) {
    const [events] = eventsOf(await repeatAs(who, [request]));
    expect(events?.some(({ event }) => event.case === 'textDelta' && event.value.text.includes(text))).toBe(true);
  }
});

test('whatever changes, an answer that is given again is the one that Ask gives now, with the same record', async () => {
  const questions = ['How long is the warranty?', 'Who pays the postage?', '保修多久？'];
  const requests = fc.record({ question: fc.constantFrom(...questions), topK: fc.constantFrom(0, 0, 3) });
  const changes = ['none', 'none', 'none', 'publish', 'replace', 'remove', 'curate', 'models', 'trial'] as const;
  const change = fc.constantFrom(...changes);
  const callers = fc.constantFrom('staff', 'customer', 'ofLive', 'ofCandidate') as fc.Arbitrary<Who>;
  const step = fc.record({
    ...{ who: callers, change },
    requests: fc.array(requests, { minLength: 1, maxLength: 5 }),
    learned: requests,
  });
  const operator = () => chat.mesh.as(testPrincipal({ user: 'op', roles: [Role.OPERATOR] }));
  const curated = chat.mesh.client(CuratedAnswerService);
  let version = 0;
  let givenCount = 0;
  const run = fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 12 }), async (steps) => {
    hits.clear();
    trial = undefined;
    for (const { who, change: changed, requests: asked, learned } of steps) {
      await learn(who, learned, hitOf(`Version ${++version} for ${who}`));
      if (changed === 'publish') revision++;
      if (changed === 'remove') hits.clear();
      if (changed === 'replace') for (const key of hits.keys()) hits.set(key, hitOf(`Version ${++version}`));
      const entry = { id: 'c', corpus: 'help', questions: [learned.question], answer: 'As an operator says.' };
      if (changed === 'curate') await curated.putCuratedAnswer(entry, await operator());
      // Models and answers of operators are read again by age.
      if (changed === 'curate') now += 1001;
      if (changed === 'models') now += 60_001;
      if (changed === 'trial') trial = trial === undefined ? halfOnTrial : undefined;
      chat.seen.records.length = 0;
      const all = eventsOf(await repeatAs(who, [...asked, learned]));
      const given = all.filter((events) => events !== undefined);
      expect(chat.seen.records).toHaveLength(given.length);
      const records = new Map(chat.seen.records.map((record) => [record.answerId, record]));
      givenCount += given.length;
      for (const [index, events] of all.entries()) {
        if (events === undefined) continue;
        const { responses, record } = await askAs(who, [...asked, learned][index] ?? learned);
        expect(areSame(events, responses)).toBe(true);
        const own = records.get(idOf(events)) as RecordRequest;
        expect(equals(RecordRequestSchema, commonRecord(own), commonRecord(record))).toBe(true);
      }
      if (changed === 'none') expect(all.at(-1)).toBeDefined();
      if (changed === 'publish' || changed === 'remove' || changed === 'curate') expect(all.at(-1)).toBeUndefined();
      if (changed === 'curate') {
        await curated.deleteCuratedAnswer({ id: 'c' }, await operator());
        now += 1001;
      }
    }
  });
  await fc.assert(run, { numRuns: 10 });
  expect(givenCount).toBeGreaterThan(20);
});
