import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { PassageSchema, Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { judgeAnswer, type Verdict } from '#kit/text/facts/judge-answer.ts';
import { compareAnswers, toAnswerBaseline } from './baseline.ts';
import type { JudgedAnswer } from './judge.ts';
import { measureAnswers, stageTimes } from './measures.ts';
import { answerGold, readAnswerSets, readQuestions } from './questions.ts';
import { describeAnswers } from './report.ts';
import { askWordings, describeWordings, dressUp, readGold, toTraditional } from './wordings.ts';

const [price, none] = readQuestions(
  'How much is a mug?\tprice\t9 coins|9 c&saucer\t4 coins\nWho made it?\tnone\t\t',
  'mugs',
);

test.each<[string | undefined, Verdict]>([
  ['A mug with saucer costs 9 coins. [1]', 'right'],
  ['A mug costs 9 coins. [1]', 'partly'],
  ['A mug with saucer costs 19 coins. [1]', 'partly'],
  ['A mug with saucer costs 9 coins, without 4 coins. [1]', 'wrong'],
  ['Mugs are blue. [1]', 'wrong'],
  [undefined, 'refused'],
])('the answer %j is %s', (answer, verdict) => {
  expect(judgeAnswer(price as never, answer)).toBe(verdict);
});

test('a question that the documents do not answer is rightly refused only', () => {
  expect(judgeAnswer(none as never, undefined)).toBe('right');
  expect(judgeAnswer(none as never, 'It was made in May. [1]')).toBe('wrong');
});

test('a line that is no question names its place', () => {
  expect(() => readQuestions('How much?\n', 'mugs')).toThrow('mugs, line 1');
});

const answersOf = (verdicts: string): JudgedAnswer[] =>
  [...verdicts].map((letter) => ({
    set: 'shop',
    question: price as never,
    verdict: letter === 'r' ? 'right' : 'wrong',
    text: 'A mug.',
    passages: [],
    cited: [],
    isVerified: true,
    stages: [],
    latencyMs: 1,
    isDegraded: false,
    failure: undefined,
  }));

test('only a loss on many questions is significant', async () => {
  const before = toAnswerBaseline(answersOf('r'.repeat(60)));
  expect((await compareAnswers(answersOf('r'.repeat(60)), before)).isSignificantDrop).toBe(false);
  expect((await compareAnswers(answersOf(`w${'r'.repeat(59)}`), before)).isSignificantDrop).toBe(false);
  expect((await compareAnswers(answersOf('wr'.repeat(30)), before)).isSignificantDrop).toBe(true);
  await expect(compareAnswers(answersOf('r'), before)).rejects.toThrow('write it again');
});

test('questions that the baseline does not have are counted and not compared', async () => {
  const before = toAnswerBaseline(answersOf('rr'));
  const change = await compareAnswers(answersOf('rrwww'), before);
  expect(change).toMatchObject({ newCount: 3, isSignificantDrop: false, change: { mean: 0 } });
  const text = await describeAnswers(answersOf('rrwww'), { showsWrong: false, change });
  expect(text).toContain('3 questions are not in it');
  await expect(compareAnswers(answersOf('r'), { subjects: {} })).rejects.toThrow('none of these questions');
});

test('the report has a row for each language and kind', async () => {
  const text = await describeAnswers(answersOf('rw'), { showsWrong: true, change: undefined });
  expect(text).toMatch(/answerable\s+2\s+right 50\.0 %/);
  expect(text).toContain('wrong: shop/mugs-1 (price) How much is a mug?');
});

test('citations count by the facts of the passages, refusals by whether there is an answer', async () => {
  const passage = (text: string) => create(PassageSchema, { title: 'Mugs', text });
  const [given] = answersOf('r') as [JudgedAnswer];
  const passages = [passage('A mug costs 9 coins.'), passage('Mugs are blue.')];
  const stages = [{ stage: Stage.RETRIEVE, latencyMs: 3 }];
  const refused: JudgedAnswer = { ...given, verdict: 'refused' };
  const answers: JudgedAnswer[] = [
    { ...given, passages, cited: [0, 1], stages },
    { ...given, passages, cited: [1], stages, isVerified: false },
    { ...refused, question: none as never, verdict: 'right' },
    refused,
  ];
  const shares = Object.fromEntries((await measureAnswers(answers)).map(({ name, interval }) => [name, interval.mean]));
  expect(shares).toEqual({
    'citation precision': 1 / 3,
    'citation recall': 0.5,
    'hard facts supported': 0.5,
    'refusal precision': 0.5,
    'refusal recall': 1,
  });
  expect(stageTimes(answers)).toEqual([{ stage: 'retrieve', p50: 3, p99: 3 }]);
});

test('the judged questions of the project can be read, and no two are the same', () => {
  const sets = readAnswerSets(answerGold);
  const questions = sets.flatMap(({ questions }) => questions);
  expect(questions.length).toBeGreaterThanOrEqual(400);
  expect(questions.filter(({ facts }) => facts.length === 0).length).toBeGreaterThanOrEqual(120);
  expect(new Set(sets.flatMap(({ name, questions }) => questions.map(({ text }) => `${name} ${text}`))).size).toBe(
    questions.length,
  );
  for (const { name, documents } of sets) expect(documents.length, name).toBeGreaterThan(0);
});

test('the questions of the sample are asked in other words, and those that lose their answer are named', async () => {
  expect(dressUp({ text: 'Is it free?', language: 'en' })).toContain('Is it free?');
  expect(toTraditional('退货')).toBe('退貨');
  const documents = new Map(readGold().map(({ question, documents }) => [question.id, documents]));
  // Answers every question in its own words and in traditional characters, but none with courtesy.
  const rows = await askWordings(async ({ id, text }) => {
    const [documentId = ''] = documents.get(id) ?? [];
    const isCourteous = /thanks|谢谢/i.test(text);
    const asked = { verdict: 'right' as const, isVerified: true, stages: [], latencyMs: 1, isDegraded: false };
    const passages = [create(PassageSchema, { documentId })];
    return { ...asked, text: 'Yes. [1]', passages, cited: isCourteous ? [] : [0], failure: undefined };
  });
  const [zh, en, traditional] = rows;
  expect(zh?.lost.length).toBe(zh?.count);
  expect((zh?.count ?? 0) + (en?.count ?? 0)).toBe(documents.size);
  expect(traditional).toMatchObject({ lost: [], mayLose: 0, count: zh?.count });
  expect(describeWordings(rows)).toMatch(/with courtesy en +\d+ +lost \d+, at most 1: TOO MANY/);
});
