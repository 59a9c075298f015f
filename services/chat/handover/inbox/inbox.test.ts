import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ChatErasureService } from '#gen/ragmesh/chat/v1/chat_erasure_pb.ts';
import { Rating } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { InboxService, OpenReason, TopicState } from '#gen/ragmesh/chat/v1/inbox_pb.ts';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { errorInfoOf } from '#kit/base/errors.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { type ChatMesh, found, passagesOf, startChat } from '../../testing/chat.ts';
import { isSameTopic, termsOf } from './terms.ts';

let chat: ChatMesh;
let now = Date.UTC(2026, 10, 30);
beforeAll(async () => {
  chat = await startChat({ clock: () => now });
});
afterAll(() => chat.mesh.close());

const user = (tenant: string, name = 'ann') =>
  chat.mesh.as(testPrincipal({ tenant, user: name, roles: [Role.READER] }));
const operator = (tenant: string) => chat.mesh.as(testPrincipal({ tenant, user: 'op', roles: [Role.OPERATOR] }));
const inbox = () => chat.mesh.client(InboxService);

async function refuse(tenant: string, question: string): Promise<void> {
  chat.script.retrieve = () => found([]);
  const asked = await chat.ask({ question }, await user(tenant));
  expect(asked.done?.outcome).toBe(AnswerOutcome.REFUSED);
  now += 1000;
}
const topicsOf = async (tenant: string, state: TopicState = TopicState.UNSPECIFIED) =>
  (await inbox().listTopics({ state }, await operator(tenant))).topics;

test('refused questions that ask for the same are one topic, with its count and days', async () => {
  await refuse('north', 'Do you rent out tents?');
  await refuse('north', 'do you rent tents out??');
  now += 86_400_000;
  await refuse('north', 'Can I rent tents?');
  await refuse('north', '可以租帐篷吗？');
  const topics = await topicsOf('north');
  expect(topics.map(({ question, questionCount }) => [question, questionCount])).toEqual([
    ['可以租帐篷吗？', 1n],
    ['Do you rent out tents?', 3n],
  ]);
  expect(topics[1]?.dailyCounts).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1]);
  expect(topics[1]?.reasons).toMatchObject([{ reason: OpenReason.REFUSED, count: 3n }]);
  expect(await topicsOf('south')).toEqual([]);
});

test('an answer that was rated down is in the inbox once, and one that helped is not', async () => {
  chat.script.retrieve = () => found(passagesOf('Lamps have two years of warranty.'));
  const ann = await user('rated');
  const { answerId } = await chat.ask({ question: 'How long is the warranty of a lamp?', createSession: true }, ann);
  await chat.client.submitFeedback({ answerId, rating: Rating.UP }, ann);
  expect(await topicsOf('rated')).toEqual([]);
  for (let round = 0; round < 2; round++) await chat.client.submitFeedback({ answerId, rating: Rating.DOWN }, ann);
  const [topic] = await topicsOf('rated');
  expect(topic).toMatchObject({ questionCount: 1n, reasons: [{ reason: OpenReason.RATED_DOWN, count: 1n }] });
  const read = await inbox().getTopic({ topicId: topic?.topicId ?? '' }, await operator('rated'));
  expect(read.questions).toMatchObject([{ answerId, question: 'How long is the warranty of a lamp?' }]);
});

test('a follow-up and a wish for a person are in the inbox with what they are about', async () => {
  chat.script.retrieve = () => found(passagesOf('Lamps have two years of warranty.'));
  const ann = await user('context');
  const ask = (question: string, sessionId?: string) =>
    chat.ask(sessionId === undefined ? { question, createSession: true } : { question, sessionId }, ann);
  const { sessionId } = await ask('Can I get a refund for a damaged lamp?');
  const { answerId } = await ask('How long does it take?', sessionId);
  await chat.client.submitFeedback({ answerId, rating: Rating.DOWN }, ann);
  const questions = async () => (await topicsOf('context')).map(({ question }) => question);
  const [ratedDown = ''] = await questions();
  expect(ratedDown).toMatch(/^How long does it take\? \(.*refund/);

  await ask('thank you', sessionId);
  now += 1000;
  await ask('I want to talk to a human agent', sessionId);
  const topics = await topicsOf('context');
  expect(topics.flatMap(({ reasons }) => reasons.map(({ reason }) => reason))).toContain(OpenReason.HANDOVER);
  expect(await questions()).toEqual([ratedDown]);

  const alone = await ask('我要投诉');
  await ask('好的', alone.sessionId);
  expect(await questions()).toContain('我要投诉');
});

test('a topic is assigned and resolved; a later question opens it again, unless it is dismissed', async () => {
  await refuse('work', 'Is there a shop in Bergen?');
  const [{ topicId = '' } = {}] = await topicsOf('work');
  const change = { topicId, assignee: 'kim', comment: 'written', curatedAnswerId: 'bergen' };
  const { topic } = await inbox().updateTopic({ ...change, state: TopicState.RESOLVED }, await operator('work'));
  expect(topic).toMatchObject({ ...change, state: TopicState.RESOLVED, changedBy: 'op' });
  expect(await topicsOf('work')).toEqual([]);
  await refuse('work', 'Is there any shop in Bergen');
  expect(await topicsOf('work')).toMatchObject([{ topicId, questionCount: 2n }]);
  await inbox().updateTopic({ topicId, state: TopicState.DISMISSED }, await operator('work'));
  await refuse('work', 'is there a shop in bergen');
  expect(await topicsOf('work')).toEqual([]);
  expect(await topicsOf('work', TopicState.DISMISSED)).toMatchObject([{ questionCount: 3n }]);
});

test('pages cover every topic once, the latest first', async () => {
  const things = ['anvils', 'barrels', 'candles', 'drums', 'easels'];
  for (const thing of things) await refuse('pages', `Do you sell ${thing} made of copper wire and glass ${thing}?`);
  const seen: string[] = [];
  let pageToken = '';
  do {
    const page = await inbox().listTopics({ pageSize: 2, pageToken }, await operator('pages'));
    seen.push(...page.topics.map(({ question }) => question));
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  expect(seen.length).toBe(new Set(seen).size);
  expect(seen.length).toBe((await topicsOf('pages')).length);
  const wrong = inbox().listTopics({ pageToken: 'x' }, await operator('pages'));
  expect(await wrong.catch((error: unknown) => errorInfoOf(error)?.reason)).toBe('FIELD_INVALID');
});

test('users cannot read it, operators only their own tenant, and an unknown topic is NOT_FOUND', async () => {
  await refuse('mine', 'Do you sell telescopes?');
  const [{ topicId = '' } = {}] = await topicsOf('mine');
  const reasonOf = (call: Promise<unknown>) => call.catch((error: unknown) => errorInfoOf(error)?.reason);
  expect(await reasonOf(inbox().listTopics({}, await user('mine')))).toBe('ROLE_MISSING');
  const other = await operator('other');
  expect(await reasonOf(inbox().getTopic({ topicId }, other))).toBe('RESOURCE_NOT_FOUND');
  const change = { topicId, state: TopicState.RESOLVED };
  expect(await reasonOf(inbox().updateTopic(change, other))).toBe('RESOURCE_NOT_FOUND');
});

test('fifty questions of a topic are kept, and all are counted', async () => {
  for (let index = 0; index < 53; index++) await refuse('many', 'Where do you keep the unicorns?');
  const [topic] = await topicsOf('many');
  expect(topic?.questionCount).toBe(53n);
  const { questions } = await inbox().getTopic({ topicId: topic?.topicId ?? '' }, await operator('many'));
  expect(questions).toHaveLength(50);
  expect(Number(questions[0]?.askedAt?.seconds)).toBeGreaterThan(Number(questions.at(-1)?.askedAt?.seconds));
});

test('a question is of the topic of its own words, whatever it says', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), (question) => {
      const terms = termsOf(question);
      expect(terms).toEqual(termsOf(question));
      expect(terms.length).toBeLessThanOrEqual(24);
      expect(isSameTopic(terms.length, terms.length, terms.length)).toBe(terms.length > 0);
    }),
  );
});

test('the erasure of a user leaves nothing of that user, and topics have the words of others', async () => {
  chat.script.retrieve = () => found([]);
  await chat.ask({ question: 'Do you repair old gramophones of Ann?' }, await user('erase', 'ann'));
  await chat.ask({ question: 'Do you repair old gramophones?' }, await user('erase', 'bob'));
  await chat.ask({ question: 'Where does Ann find violins?' }, await user('erase', 'ann'));
  expect(await topicsOf('erase')).toHaveLength(2);
  await chat.mesh.client(ChatErasureService).eraseChatUser({ user: 'ann' }, await operator('erase'));
  const topics = await topicsOf('erase');
  expect(topics.map(({ question }) => question)).toEqual(['Do you repair old gramophones?']);
  await chat.ask({ question: 'do you repair old gramophones' }, await user('erase', 'bob'));
  expect(await topicsOf('erase')).toHaveLength(1);
});

test('questions expire with sessions', async () => {
  await refuse('old', 'Do you tune pianos?');
  const before = { seconds: BigInt(Math.ceil(now / 1000) + 1), nanos: 0 };
  await chat.mesh.client(ChatErasureService).expireChat({ sessionsBefore: before }, await operator('old'));
  expect(await topicsOf('old')).toEqual([]);
});
