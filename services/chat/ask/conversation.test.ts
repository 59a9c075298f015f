import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  ConversationAct as Act,
  type Handover,
  HandoverReason,
  HandoverState,
} from '#gen/ragmesh/chat/v1/conversation_pb.ts';
import { HandoverService } from '#gen/ragmesh/chat/v1/handover_pb.ts';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { Language } from '#gen/ragmesh/common/v1/common_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { type ChatMesh, found, gather, passagesOf, startChat } from '../testing/chat.ts';

let chat: ChatMesh;
beforeAll(async () => {
  const replies = [{ tenant: '', act: Act.GREETING, language: Language.EN, text: 'Welcome to the shop!' }];
  chat = await startChat({ settings: { replies } });
});
afterAll(() => chat[Symbol.asyncDispose]());

/** Asks in a session, and gathers the events of the conversation besides the answer. */
async function say(question: string, sessionId = '') {
  const events = {
    act: Act.UNSPECIFIED as Act,
    handover: undefined as Handover | undefined,
    suggestions: [] as string[],
    isAsked: false,
  };
  const call = chat.client.ask({ question, sessionId, createSession: sessionId === '' }, await chat.mesh.as());
  const asked = await gather(call, ({ event }) => {
    if (event.case === 'started') events.act = event.value.act;
    if (event.case === 'handover') events.handover = event.value;
    if (event.case === 'suggestions') events.suggestions = event.value.questions;
    if (event.case === 'clarification') events.isAsked = true;
  });
  return { ...asked, ...events };
}

test('a greeting gets the configured reply, without a search, a model or the cache', async () => {
  const before = { ...chat.seen, retrieved: [...chat.seen.retrieved], lookups: [...chat.seen.lookups] };
  const asked = await say('hello');
  expect(asked).toMatchObject({
    text: 'Welcome to the shop!',
    act: Act.GREETING,
    done: { outcome: AnswerOutcome.REPLIED },
  });
  expect(chat.seen.retrieved).toHaveLength(before.retrieved.length);
  expect(chat.seen.lookups).toHaveLength(before.lookups.length);
  expect(asked.done?.degradations).toEqual([]);
  expect(chat.seen.records.at(-1)?.outcome).toBe(AnswerOutcome.REPLIED);
});

test('thanks between a question and its follow-up are skipped', async () => {
  const first = await say('退货的条件是什么？');
  await say('谢谢', first.sessionId);
  const asked = await say('那换货呢？', first.sessionId);
  expect(asked).toMatchObject({ standalone: '换货的条件是什么？', act: Act.FOLLOW_UP });
});

test('a wish for a person is a hand-over that waits, is with a person, and returns', async () => {
  const first = await say('How long is the warranty of the lamp?');
  const { sessionId } = first;
  const waiting = await say('I want to talk to a human agent', sessionId);
  expect(waiting.handover).toMatchObject({ state: HandoverState.WAITING, reason: HandoverReason.REQUESTED });
  expect(waiting.handover?.summary).toContain('warranty of the lamp');
  expect(waiting.handover?.sources).toMatchObject([{ documentId: 'd1' }]);
  expect((await say('How long is the warranty of the sofa?', sessionId)).text).toBe('Seven days [1].');

  const desk = chat.mesh.client(HandoverService);
  const operator = await chat.mesh.as(testPrincipal({ roles: [Role.OPERATOR] }));
  const update = (state: HandoverState) => desk.updateHandover({ sessionId, state }, operator);
  expect(await update(HandoverState.WITH_PERSON)).toMatchObject({ state: HandoverState.WITH_PERSON });
  const silent = await say('How long is the warranty of the sofa?', sessionId);
  expect(silent).toMatchObject({
    done: { outcome: AnswerOutcome.REPLIED },
    handover: { state: HandoverState.WITH_PERSON },
  });
  expect(silent.text).not.toBe('');
  expect(await update(HandoverState.RETURNED)).toMatchObject({ state: HandoverState.RETURNED });
  const again = await say('How long is the warranty of the sofa?', sessionId);
  expect(again).toMatchObject({ text: 'Seven days [1].', handover: { state: HandoverState.RETURNED } });
  expect((await say('How long is the warranty of the chair?', sessionId)).handover).toBeUndefined();
});

test('a complaint offers a person, and yes accepts', async () => {
  const first = await say('我要投诉');
  expect(first.handover).toMatchObject({ state: HandoverState.OFFERED, reason: HandoverReason.COMPLAINT });
  const second = await say('好的', first.sessionId);
  expect(second.handover).toMatchObject({ state: HandoverState.WAITING, reason: HandoverReason.COMPLAINT });
});

test('what is not clear is asked back once, and then a person is offered', async () => {
  const first = await say('？？？');
  expect(first).toMatchObject({ isAsked: true, act: Act.UNCLEAR });
  const second = await say('???', first.sessionId);
  expect(second).toMatchObject({ isAsked: false, handover: { reason: HandoverReason.UNANSWERED } });
});

test('a refusal of a question about an order offers a person, and the cache stores none of that', async () => {
  chat.script.retrieve = () => found([]);
  const asked = await say('where is my order 88213?');
  chat.script.retrieve = () => found(passagesOf('Returns are free for seven days.', 'Exchanges take two weeks.'));
  expect(asked).toMatchObject({ act: Act.ORDER_STATUS, done: { outcome: AnswerOutcome.REFUSED } });
  expect(asked.handover).toMatchObject({ state: HandoverState.OFFERED, reason: HandoverReason.ACCOUNT });
  expect(asked.text).toContain('talk to an agent');
  expect(
    JSON.stringify(chat.seen.fills.at(-1)?.events, (_, value) => (typeof value === 'bigint' ? '' : value)),
  ).not.toContain('agent');
});

test('a question in a language that is not served is searched, and a refusal says which ones are', async () => {
  chat.script.retrieve = () => found([]);
  const asked = await say('Wie lange kann ich die Lampe zurückgeben?');
  chat.script.retrieve = () => found(passagesOf('Returns are free for seven days.', 'Exchanges take two weeks.'));
  expect(asked.text).toContain('Chinesisch und Englisch');
});

test('questions of the found passages are suggested, but not the one that was asked', async () => {
  chat.script.retrieve = () =>
    found(passagesOf('Q: How long is the warranty?\nTwo years.', 'Q: Who pays the postage of a repair?\nThe shop.'));
  const asked = await say('How long is the warranty?');
  chat.script.retrieve = () => found(passagesOf('Returns are free for seven days.', 'Exchanges take two weeks.'));
  expect(asked.suggestions).toEqual(['Who pays the postage of a repair?']);
});
