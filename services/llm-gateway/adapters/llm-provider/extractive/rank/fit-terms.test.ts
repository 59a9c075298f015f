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

test('a word and a character beside it are no misspelt word', () => {
  const reviews = [
    readPassageText('积分', '', '首次评价得 20 分，每次评价都要审核。快递员送达。货到付款和收货后付款都不支持。'),
  ];
  const read = (text: string) => fitTerms(readQuestions(text)[0] as Question, reviews).terms.map((term) => term.text);
  expect(read('写评价能得多少积分')).not.toContain('次评价');
  expect(read('可以先收货再付款吗')).not.toContain('和收货');
});

test('transposed letters at the end of a word are corrected', () => {
  const orders = [readPassageText('Orders', '', 'Open the order and tap Cancel.')];
  const terms = fitTerms(readQuestions('how do i cancle an order')[0] as Question, orders).terms;
  expect(terms.map(({ text }) => text)).toContain('cancel');
});

test('an everyday word is no misspelt word', () => {
  const hours = [readPassageText('影院', '', '可以在柜台购票。')];
  const terms = fitTerms(readQuestions('可以带宠物吗')[0] as Question, hours).terms.map((term) => term.text);
  expect(terms).not.toContain('可以在');
});

test('a word and an everyday word of one character are no misspelt word', () => {
  const parcels = [readPassageText('邮局', '', '包裹都由邮局送达。')];
  const terms = fitTerms(readQuestions('包裹坏了怎么办')[0] as Question, parcels).terms.map((term) => term.text);
  expect(terms).toContain('包裹');
  expect(terms).not.toContain('包裹都');
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
