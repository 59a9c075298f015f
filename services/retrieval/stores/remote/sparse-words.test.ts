import { expect, test } from 'vitest';
import { questionWords, rowWords, wordNumber } from './sparse-words.ts';

const score = (row: readonly string[], question: readonly string[]) => {
  const { indices, values } = rowWords(row, 4);
  const weights = new Map(indices.map((index, position) => [index, values[position] as number]));
  const asked = questionWords(question);
  return asked.indices.reduce(
    (sum, index, position) => sum + (weights.get(index) ?? 0) * (asked.values[position] as number),
    0,
  );
};

test('a word counts for more the more often it comes, never more than 2.2 times, and less in a longer row', () => {
  const once = score(['a', 'b', 'c', 'd'], ['a']);
  const twice = score(['a', 'a', 'c', 'd'], ['a']);
  expect(once).toBeCloseTo(1, 5);
  expect(twice).toBeGreaterThan(once);
  expect(
    score(
      Array.from({ length: 4000 }, () => 'a'),
      ['a'],
    ),
  ).toBeLessThan(2.2);
  expect(score(['a', ...Array.from({ length: 40 }, (_, index) => `w${index}`)], ['a'])).toBeLessThan(once);
});

test('a question weighs what it repeats, and finds nothing of what a row has not', () => {
  expect(score(['a', 'b', 'c', 'd'], ['a', 'a'])).toBeCloseTo(2 * score(['a', 'b', 'c', 'd'], ['a']), 5);
  expect(score(['a', 'b'], ['x'])).toBe(0);
  expect(questionWords(Array.from({ length: 50 }, () => 'a')).values).toEqual([8]);
  expect(questionWords([])).toEqual({ indices: [], values: [] });
});

test('a lone Han character finds the words that begin with it', () => {
  expect(score(['退货', '货政', '政策'], ['退'])).toBeGreaterThan(0);
  expect(score(['退货', '货政', '政策'], ['策'])).toBe(0);
  expect(score(['退货'], ['退', '货'])).toBe(0);
});

test('numbers of words are whole, spread, and the same everywhere', () => {
  const numbers = Array.from({ length: 20_000 }, (_, index) => wordNumber(`word${index}`));
  expect(new Set(numbers).size).toBe(20_000);
  for (const number of numbers) expect(number).toBe(number >>> 0);
  expect(wordNumber('退货')).toMatchInlineSnapshot(`111635941`);
  const { indices } = rowWords(['b', 'a', 'c', 'a'], 4);
  expect(indices).toEqual(indices.toSorted((a, b) => a - b));
});
