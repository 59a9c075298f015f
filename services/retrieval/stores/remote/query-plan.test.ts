import { expect, test } from 'vitest';
import { planWords } from './query-plan.ts';

const frequencies: Record<string, number> = { the: 900, return: 100, refund: 50, code: 1, often: 800, common: 700 };
const plan = (words: string[], bounds = {}) => planWords(words, (word) => frequencies[word] ?? 0, 1000, bounds);

test('the rarest words come first, and unknown ones not at all', () => {
  expect(plan(['the', 'return', 'unknown', 'code'])).toEqual(['code', 'return', 'the']);
  expect(plan(['unknown'])).toEqual([]);
  expect(plan([])).toEqual([]);
});

test('a word that the question repeats counts as often, up to a bound', () => {
  expect(plan(['code', 'return', 'return', 'return'])).toEqual(['return', 'return', 'return', 'code']);
  expect(plan(Array.from({ length: 50 }, () => 'code'))).toHaveLength(8);
});

test('words that nearly every row has are omitted if reading them is expensive', () => {
  const words = ['code', 'refund', 'return', 'common', 'often', 'the'];
  expect(plan(words, { maxPostings: 1000 })).toEqual(['code', 'refund', 'return', 'common']);
  // The words with the highest weights are searched at any cost.
  expect(plan(['the', 'often', 'common'], { maxPostings: 10 })).toHaveLength(3);
  expect(plan(words, { maxWords: 2 })).toEqual(['code', 'refund']);
});
