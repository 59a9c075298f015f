import { Code, ConnectError } from '@connectrpc/connect';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Rating } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { ConversationDeskService } from '#gen/ragmesh/chat/v1/conversation_desk_pb.ts';
import { HandoverState } from '#gen/ragmesh/chat/v1/conversation_pb.ts';
import { HandoverService } from '#gen/ragmesh/chat/v1/handover_pb.ts';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { type ChatMesh, found, passagesOf, startChat } from '../testing/chat.ts';

let chat: ChatMesh;
let now = Date.UTC(2026, 10, 30);
const phone = '13812345678';
beforeAll(async () => {
  chat = await startChat({ clock: () => now, config: { personalData: { policies: [{ tenant: 'masking' }] } } });
});
afterAll(() => chat.mesh.close());

const user = (tenant: string, name = 'ann') =>
  chat.mesh.as(testPrincipal({ tenant, user: name, roles: [Role.READER], groups: ['gold'] }));
const operator = (tenant: string) => chat.mesh.as(testPrincipal({ tenant, user: 'op', roles: [Role.OPERATOR] }));
const desk = () => chat.mesh.client(ConversationDeskService);
const list = async (tenant: string, filter: object = {}) =>
  (await desk().listConversations(filter, await operator(tenant))).conversations;
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => ConnectError.from(error).code,
  );

async function ask(tenant: string, question: string, name = 'ann', sessionId = '') {
  chat.script.retrieve = () => found(passagesOf('Lamps have two years of warranty.'));
  now += 1000;
  return chat.ask(
    { question, ...(sessionId === '' ? { createSession: true } : { sessionId }) },
    await user(tenant, name),
  );
}

test('an operator reads the sessions of all users of the tenant, each answer with how it was made', async () => {
  const asked = await ask('north', 'How long is the warranty of a lamp?');
  await ask('north', 'How long is the warranty of a desk?', 'bob');
  await ask('south', 'How long is the warranty of a chair?');
  expect((await list('north')).map((one) => [one.user, one.session?.turnCount])).toEqual([
    ['bob', 1],
    ['ann', 1],
  ]);
  const read = await desk().getConversation({ sessionId: asked.sessionId }, await operator('north'));
  const [turn] = read.turns;
  expect(turn).toMatchObject({ question: 'How long is the warranty of a lamp?', answerId: asked.answerId, person: '' });
  expect(turn?.trace).toMatchObject({ groups: ['gold'], passageCount: 1, standaloneQuestion: turn?.question });
  const stages = turn?.trace?.stages ?? [];
  expect(stages.map(({ stage }) => stage)).toEqual(
    expect.arrayContaining([Stage.REWRITE, Stage.CACHE, Stage.GENERATE]),
  );
  for (const { startedUs, latencyUs } of stages)
    expect(startedUs + latencyUs).toBeLessThanOrEqual(turn?.trace?.totalUs ?? 0n);
  // Its user does not see the trace, and other tenants and users do not see the session.
  const own = await chat.client.getSession({ sessionId: asked.sessionId }, await user('north'));
  expect(own.turns[0]?.trace).toBeUndefined();
  expect(await codeOf(desk().getConversation({ sessionId: asked.sessionId }, await operator('south')))).toBe(
    Code.NotFound,
  );
  expect(await codeOf(desk().listConversations({}, await user('north')))).toBe(Code.PermissionDenied);
});

test('sessions are found by user, words, rating and time, page by page', async () => {
  for (let at = 0; at < 5; at++) await ask('pages', `What is 50% of number ${at}?`, at < 3 ? 'ann' : 'bob');
  const rated = await ask('pages', 'Is a lamp under warranty?', 'eve');
  await chat.client.submitFeedback({ answerId: rated.answerId, rating: Rating.DOWN }, await user('pages', 'eve'));
  expect(await list('pages', { user: 'bob' })).toHaveLength(2);
  expect(await list('pages', { search: '0% OF number 1' })).toHaveLength(1);
  expect(await list('pages', { search: '0_ of' })).toHaveLength(0);
  expect((await list('pages', { onlyRatedDown: true })).map((one) => one.user)).toEqual(['eve']);
  expect(await list('pages', { from: { seconds: BigInt(now / 1000), nanos: 0 } })).toHaveLength(1);
  const ids = new Set<string>();
  let pageToken = '';
  do {
    const page = await desk().listConversations({ pageSize: 2, pageToken }, await operator('pages'));
    for (const { session } of page.conversations) ids.add(session?.sessionId ?? '');
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  expect(ids.size).toBe(6);
});

test('personal data is masked for an operator, and the user still reads it', async () => {
  const { sessionId } = await ask('masking', `Is the lamp of ${phone} under warranty?`);
  const read = await desk().getConversation({ sessionId }, await operator('masking'));
  expect(
    JSON.stringify(read.turns.map(({ question, answer, trace }) => [question, answer, trace?.standaloneQuestion])),
  ).not.toContain(phone);
  expect(read.turns[0]?.question).toContain('[PHONE');
  expect(JSON.stringify((await list('masking')).map(({ session }) => session?.title))).not.toContain(phone);
});

test('a session that waits is accepted, answered by a person, and returned; its user reads the reply', async () => {
  const { sessionId } = await ask('desk', 'How long is the warranty of a lamp?');
  const reply = async (replyId: string, text = 'This is Olga. Two years.') =>
    desk().replyToConversation({ sessionId, text, replyId }, await operator('desk'));
  const move = async (state: HandoverState) =>
    chat.mesh.client(HandoverService).updateHandover({ sessionId, state: state as 3 }, await operator('desk'));
  await ask('desk', 'I want to speak to a person', 'ann', sessionId);
  const waiting = await list('desk', { handoverStates: [HandoverState.WAITING] });
  expect(waiting.map(({ session }) => session?.sessionId)).toEqual([sessionId]);
  expect(await codeOf(reply('reply-0001'))).toBe(Code.FailedPrecondition);
  await move(HandoverState.WITH_PERSON);
  await reply('reply-0001');
  await reply('reply-0001');
  const own = await chat.client.getSession({ sessionId }, await user('desk'));
  expect(own.turns.at(-1)).toMatchObject({
    question: '',
    answer: 'This is Olga. Two years.',
    person: 'op',
    outcome: AnswerOutcome.REPLIED,
  });
  expect(own.turns).toHaveLength(3);
  await move(HandoverState.RETURNED);
  expect(await codeOf(reply('reply-0002'))).toBe(Code.FailedPrecondition);
  expect(await list('desk', { handoverStates: [HandoverState.WAITING, HandoverState.WITH_PERSON] })).toEqual([]);
  // The assistant answers again, and the reply is none of its turns.
  const after = await ask('desk', 'How long is the warranty of a desk?', 'ann', sessionId);
  expect(after.done?.outcome).toBe(AnswerOutcome.ANSWERED);
});
