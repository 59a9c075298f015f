import fc from 'fast-check';
import { expect, test } from 'vitest';
import { tokenize } from '../tokenize.ts';
import { weighWords } from './query-words.ts';

const weightsOf = (...asked: Parameters<typeof weighWords>) =>
  Object.fromEntries(weighWords(...asked).map(({ word, weight }) => [word, weight]));

test('a bigram across the border of two words counts half', () => {
  expect(weightsOf('首次登录')).toEqual({ 首次: 1, 次登: 0.5, 登录: 1 });
  expect(weightsOf('首次登录', { wordBorders: false })).toEqual({ 首次: 1, 次登: 1, 登录: 1 });
});

test('a word counts as often as the question has it', () => {
  expect(weightsOf('refund of a refunded order')).toEqual({ refund: 2, order: 1 });
});

test('two single characters of the dictionary count as a word, unless one is a function character', () => {
  expect(weightsOf('申请退货')).toEqual({ 申请: 1, 请退: 0.5, 退货: 1 });
  expect(weightsOf('织物的退货')).toMatchObject({ 的退: 0.5 });
});

test('the words of a protected term count double, also across word borders of the dictionary', () => {
  const words = weightsOf('流明织物的退货', { protectedTerms: ['流明织物'] });
  expect(words).toMatchObject({ 流明: 2, 明织: 2, 织物: 2, 退货: 1 });
});

test('the words are those of tokenize, whatever the text', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: fc.constantFrom(...'退货款a1 -的什么') })),
      (text) => {
        const words = weighWords(text);
        expect(words.map(({ word }) => word)).toEqual([...new Set(tokenize(text, { mode: 'query' }))]);
        expect(words.every(({ weight }) => weight > 0)).toBe(true);
      },
    ),
  );
});
