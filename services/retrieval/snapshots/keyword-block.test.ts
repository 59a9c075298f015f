import { expect, test } from 'vitest';
import type { QueryWord } from '#kit/text/query/query-words.ts';
import { createKeywordBlock, searchKeywordBlocks } from './keyword-block.ts';

/** A block of texts, a word a letter group; row 1 of every text is seen by access list 1. */
function blockOf(texts: readonly string[], aclIds: readonly number[] = texts.map(() => 1)) {
  const postings = new Map<string, number[]>();
  for (const [position, text] of texts.entries()) {
    for (const word of text.split(' ')) postings.set(word, [...(postings.get(word) ?? []), position]);
  }
  const listed = [...postings].map(([word, positions]) => ({ word, positions }));
  return createKeywordBlock(Int32Array.from(aclIds), listed);
}
const words = (...given: [word: string, weight: number][]): QueryWord[] =>
  given.map(([word, weight]) => ({ word, weight }));
const find = (texts: readonly string[], asked: QueryWord[]) =>
  searchKeywordBlocks([blockOf(texts)], asked, [1], 10).map(({ position }) => position);

test('a row with the word that weighs more comes first', () => {
  const texts = ['apple x', 'pear x', 'x y', 'y z'];
  expect(find(texts, words(['apple', 1], ['pear', 0.5]))).toEqual([0, 1]);
  expect(find(texts, words(['apple', 0.5], ['pear', 1]))).toEqual([1, 0]);
});

test('the score is BM25 with the documented constants', () => {
  const texts = ['apple apple pear', 'pear', 'plum plum'];
  const [hit] = searchKeywordBlocks([blockOf(texts)], words(['apple', 1]), [1], 10);
  const idf = Math.log(1 + (3 - 1 + 0.5) / (1 + 0.5));
  const norm = 1.5 * (1 - 0.9 + (0.9 * 3) / 2);
  expect(hit?.score).toBeCloseTo((idf * 2 * 2.5) / (2 + norm), 12);
});

test('a word that every row has still finds them', () => {
  expect(find(['apple', 'apple'], words(['apple', 1]))).toEqual([0, 1]);
});

test('statistics are those of all blocks together, and access lists hold in each', () => {
  const blocks = [blockOf(['apple', 'pear'], [1, 1]), blockOf(['apple', 'apple pear'], [2, 1])];
  const hits = searchKeywordBlocks(blocks, words(['apple', 1]), [1], 10);
  expect(hits.map(({ block, position }) => [block, position])).toEqual([
    [0, 0],
    [1, 1],
  ]);
});
