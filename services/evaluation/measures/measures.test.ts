import type { MessageInitShape } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import type { AskRequest } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { ConversationAct } from '#gen/ragmesh/chat/v1/conversation_pb.ts';
import {
  type EvaluationRun,
  EvaluationService,
  type JudgedQuerySchema,
  type RunEvaluationRequestSchema,
} from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { SuiteKind } from '#gen/ragmesh/evaluation/v1/suite_pb.ts';
import { startTestMesh } from '#kit/testing/mesh.ts';
import { evaluation } from '../index.ts';
import { createAnswers } from '../testing/chat-stand-in.ts';
import { createSearch } from '../testing/stand-ins.ts';

type Query = MessageInitShape<typeof JudgedQuerySchema>;
type Request = MessageInitShape<typeof RunEvaluationRequestSchema>;

const answers: Record<string, string> = { price: 'It costs 9 coins.', colour: 'It is red.', 'and its size?': '3 cm' };
const answerOf = ({ question, model, history }: AskRequest) => {
  if (model === 'parrot') return question;
  // A follow-up is understood only in its conversation.
  if (question.startsWith('and') && history.length === 0) return undefined;
  return answers[question];
};

async function start(hasChat = true) {
  const { retrieval } = createSearch();
  const { chat, cache, requests, left } = createAnswers(answerOf);
  const mesh = await startTestMesh(hasChat ? [retrieval, chat, cache, evaluation] : [retrieval, evaluation]);
  const client = mesh.client(EvaluationService);
  const run = async (queries: readonly Query[], request: Request): Promise<EvaluationRun> => {
    const options = await mesh.as();
    await client.addQueries({ dataSet: 'set', queries: [...queries] }, options);
    for await (const { event } of client.runEvaluation({ dataSet: 'set', withQuestions: true, ...request }, options)) {
      if (event.case === 'run') return event.value;
    }
    throw new Error('the run ended without a result');
  };
  return { mesh, requests, left, run, [Symbol.asyncDispose]: () => mesh.close(true) };
}

const fact = (...wordings: string[]) => ({ facts: [{ wordings }] });
const scoresOf = ({ questions }: EvaluationRun) =>
  Object.fromEntries(questions.map(({ queryId, scores }) => [queryId, [...scores]]));

test('answers are scored by their facts, refusals and citations, and two models are compared question by question', async () => {
  await using one = await start();
  const queries: Query[] = [
    { queryId: 'answered', text: 'price', answer: fact('9 coins', 'nine coins') },
    { queryId: 'forbidden', text: 'colour', answer: { ...fact('red'), forbidden: ['it is'] } },
    { queryId: 'refused', text: 'weight', answer: fact('1 kg') },
    { queryId: 'unanswerable', text: 'who made it', answer: {} },
    { queryId: 'ranking', text: 'not of this suite', judgements: [{ documentId: 'd', grade: 1 }] },
  ];
  const template = { query: 'set', corpora: ['help'] };
  const variants = [{ name: 'parrot', template, model: 'parrot' }];
  const run = await one.run(queries, { suite: SuiteKind.ANSWERS, template, variants });
  expect(run).toMatchObject({ suite: SuiteKind.ANSWERS, queryCount: 4, failedCount: 0 });
  expect(run.metrics.map(({ name }) => name)).toEqual(['Right', 'Not wrong', 'Refusal', 'Cited']);
  expect(scoresOf(run)).toEqual({
    answered: [1, 1, 1, 1],
    forbidden: [0, 0, 1, 1],
    refused: [0, 1, 0, 0],
    unanswerable: [1, 1, 1, 1],
  });
  expect(run.comparisons[0]?.gains.map(({ name }) => name)).toEqual(run.metrics.map(({ name }) => name));
  expect(run.comparisons[0]?.gains[0]?.mean).toBe(0.5);
  // No answer comes from the cache, and none enters the inbox.
  expect(one.requests.every(({ bypassCache, isTest, sessionId }) => bypassCache && isTest && sessionId === '')).toBe(
    true,
  );
  expect(one.requests[0]?.corpora).toEqual(['help']);
});

test('a question of a conversation is asked after the earlier ones, with their answers', async () => {
  await using one = await start();
  const queries: Query[] = [
    { queryId: 'follow-up', text: 'and its size?', earlier: ['price', 'colour'], answer: fact('3 cm') },
    { queryId: 'alone', text: 'price', answer: fact('9 coins') },
  ];
  const run = await one.run(queries, { suite: SuiteKind.CONVERSATIONS });
  expect(scoresOf(run)).toEqual({ 'follow-up': [1, 1, 1, 1] });
  expect(one.requests.at(-1)?.history).toMatchObject([{ question: 'price' }, { question: 'colour' }]);
});

test('the router is asked what a message is, and no answer is written', async () => {
  await using one = await start();
  const queries: Query[] = [
    { queryId: 'greeting', text: 'hi there', act: { act: ConversationAct.GREETING } },
    { queryId: 'thanks', text: 'hi, thanks', act: { act: ConversationAct.THANKS } },
  ];
  const run = await one.run(queries, { suite: SuiteKind.ROUTER });
  expect(scoresOf(run)).toEqual({ greeting: [1], thanks: [0] });
  await expect.poll(one.left).toBe(2);
});

test('the verifier, the matching of the cache and the search for personal data are scored by themselves', async () => {
  await using one = await start();
  const source = 'The mug is red.';
  const verified = await one.run(
    [
      { queryId: 'said', text: 'mug is red', claim: { source, isSupported: true } },
      { queryId: 'not said', text: 'mug is blue', claim: { source } },
      { queryId: 'missed', text: 'a red mug', claim: { source, isSupported: true } },
    ],
    { suite: SuiteKind.VERIFIER },
  );
  expect(verified.questions.map(({ scores }) => scores.map((score) => score.toFixed(1)))).toEqual([
    ['0.0', '0.2'],
    ['1.0', '0.8'],
    ['1.0', '0.9'],
  ]);
  const matched = await one.run(
    [
      { queryId: 'same', text: 'price of it', pair: { other: 'price now', isSame: true } },
      { queryId: 'wrong', text: 'price of a', pair: { other: 'price of b' } },
    ],
    { suite: SuiteKind.CACHE },
  );
  expect(scoresOf(matched)).toEqual({ same: [1, 1], wrong: [0, 0] });
  const found = await one.run(
    [
      { queryId: 'mail', text: 'Write to ann@shop.cn.', personalData: { values: ['ann@shop.cn'] } },
      { queryId: 'missed', text: 'My secret is a word.', personalData: { values: ['a word'] } },
      { queryId: 'false', text: 'Write to bob@shop.cn.', personalData: {} },
    ],
    { suite: SuiteKind.PERSONAL_DATA },
  );
  expect(scoresOf(found)).toEqual({ mail: [1, 1], missed: [0, 1], false: [1, 0] });
});

test('a suite without questions, with a version or without its service is refused with the reason', async () => {
  await using one = await start();
  const ranked: Query = { queryId: 'r', text: 'd', judgements: [{ documentId: 'd', grade: 1 }] };
  await expect(one.run([ranked], { suite: SuiteKind.ANSWERS })).rejects.toThrow('no question of "set"');
  const template = { query: 'q', versions: [{ corpus: 'help', version: 3n }] };
  const answered: Query = { queryId: 'a', text: 'price', answer: fact('9') };
  await expect(one.run([answered], { suite: SuiteKind.ANSWERS, template })).rejects.toThrow('template.versions');
  await using without = await start(false);
  await expect(without.run([answered], { suite: SuiteKind.ANSWERS })).rejects.toThrow(
    '"answers" cannot be measured here',
  );
  expect(await without.run([ranked], {})).toMatchObject({ suite: SuiteKind.RETRIEVAL, queryCount: 1 });
});
