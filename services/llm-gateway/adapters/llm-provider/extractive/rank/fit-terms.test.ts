import { expect, test } from 'vitest';
import { readPassageText } from '../passage/passage-texts.ts';
import { type Question, readQuestions } from '../question/question.ts';
import { fitTerms, isOneEdit } from './fit-terms.ts';

const passages = [
  readPassageText('帐篷', '', '防潮垫每晚 8 元。投影灯每晚 12 元，型号 TNT-4410。'),
  readPassageText('Tents', '', 'The groundsheet costs 8 coins. Deposits are refunded.'),
];
const fitted = (text: string) => fitTerms(readQuestions(text)[0] as Question, passages).terms.map((term) => term.text);

test.each([
  ['防潮垫加多少钱', '防潮垫'],
  ['投影登一晚什么价', '投影灯'],
  ['groundsheat price', 'groundsheet'],
  ['is the depsoit refunded', 'deposit'],
])('%j is read with the word of the evidence: %s', (question, word) => {
  expect(fitted(question)).toContain(word);
});

test('a short word with another letter is another word', () => {
  const instruments = [readPassageText('Viols', '', 'The spring makes a sound.')];
  const terms = fitTerms(readQuestions('How many strings did the founder want?')[0] as Question, instruments).terms;
  expect(terms.map(({ text }) => text)).not.toContain('spring');
  expect(terms.map(({ text }) => text)).not.toContain('sound');
});

test('another code stays another code', () => {
  expect(fitted('TNT-4401 price')).not.toContain('tnt4410');
});

test.each([
  ['cancle', 'cancel', true],
  ['projektor', 'projector', true],
  ['colour', 'color', true],
  ['tent', 'tent', false],
  ['march', 'chart', false],
])('%s and %s differ in one character: %s', (a, b, isNear) => {
  expect(isOneEdit(a, b)).toBe(isNear);
});
