import { expect, test } from 'vitest';
import { threadCpuMs } from '#kit/testing/time.ts';
import { isBrief, type Question, readQuestions } from './question.ts';

const readQuestion = (text: string) => readQuestions(text)[0] as Question;

test.each([
  ['退货质检要几天？', 'zh', 'time', ['退货', '质检']],
  ['How long does a refund to a credit card take?', 'en', 'time', ['refund', 'credit', 'card']],
  ['What does error E-07 on the PPR-9087 mean?', 'en', undefined, ['error', 'e07', 'ppr9087']],
  ['退货少了遥控器会扣多少钱', 'zh', 'money', ['退货', '遥控']],
  ['out-of-warranty diagnosis fee', 'en', 'money', ['warranti', 'diagnosi', 'fee']],
  ['怎么设置手冲壶', 'zh', 'steps', ['设置', '手冲壶']],
])('reads %j', (text, language, wants, terms) => {
  const question = readQuestion(text);
  expect(question).toMatchObject({ language, wants });
  expect(question.terms.map((term) => term.text)).toEqual(expect.arrayContaining(terms));
});

test.each([
  ['被套不想要了，能退吗', '被套', '套'],
  ['宽带能装在船上吗', '宽带', '宽'],
  ['门票退不退', '退', '不退'],
  ['怎么开发票', '发票', '开发'],
  ['我要退货怎么弄', '退货', '我要'],
  ['Is it safe for a 2-year-old?', '2', '2year'],
])('%j has the word %s', (text, word, other) => {
  const terms = readQuestion(text).terms.map((term) => term.text);
  expect(terms).toContain(word);
  expect(terms).not.toContain(other);
});

test.each([
  ['热线几点有人接', 'time'],
  ['保修期多长', 'time'],
  ['怎么联系你们', 'phone'],
  ['How do I contact you?', 'phone'],
  ['How soon is the deposit paid back?', 'time'],
  ['价格保护怎么申请', 'steps'],
  ['Does price protection apply twice?', undefined],
])('%j wants %s', (text, wants) => {
  expect(readQuestion(text).wants).toBe(wants);
});

test.each([
  ['运费多少钱', true],
  ['How do I return something?', true],
  ['分 12 期的手续费一共多少', false],
  ['PPR-9087 保修多久', false],
  ['How do I return a lamp that a friend in Norway gave me last week?', false],
])('%j is a short question: %s', (text, expected) => {
  expect(isBrief(readQuestion(text))).toBe(expected);
});

test('codes and years are exact, and their parts do not count beside them', () => {
  const terms = readQuestion('PPR-9087 的 2027 年保修').terms;
  expect(terms.filter(({ isExact }) => isExact).map(({ text }) => text)).toEqual(['ppr9087', '2027']);
  expect(terms.map(({ text }) => text)).not.toContain('9087');
});

test('names weigh more than words, and words for the kind of answer less', () => {
  const weightOf = (word: string) =>
    readQuestion('What is the price of a parcel to Norway?').terms.find(({ text }) => text === word)?.weight ?? 0;
  expect(weightOf('norwai')).toBeGreaterThan(weightOf('parcel'));
  expect(weightOf('parcel')).toBeGreaterThan(weightOf('price'));
});

test.each(['', '？', '你好吗', 'the of and', '怎么办'])(
  'a question without a word of its own asks about nothing: %j',
  (text) => {
    expect(readQuestion(text).terms.filter(({ text: word }) => word !== '你好')).toEqual([]);
  },
);

test('a question of any length is read in little time', () => {
  const started = threadCpuMs();
  expect(readQuestion('退货运费 PPR-9087 '.repeat(100_000)).terms.length).toBeLessThanOrEqual(64);
  expect(threadCpuMs() - started).toBeLessThan(1000);
});
