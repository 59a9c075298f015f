import { expect, test } from 'vitest';
import type { QueryWord } from '#kit/text/query/query-words.ts';
import { addSegment } from '../build/add.ts';
import { mergeSegments } from '../build/merge.ts';
import { markRows } from '../rows/row-changes.ts';
import type { Segment } from '../segment.ts';
import { createScratch, createWordSearcher, searchWords } from './word-search.ts';
import type { WordSegment } from './word-segment.ts';

let lastKey = 0;

/** A segment of texts that are added in a version, each a document of its own. */
function segmentOf(texts: readonly string[], aclIds = texts.map(() => 1), version = 1): Segment {
  const rows = texts.map((tokens, index) => {
    const key = ++lastKey;
    const names = { chunkId: `c${key}`, documentId: `d${key}` };
    return { key, ...names, aclId: aclIds[index] as number, language: 0, updatedMs: undefined, attributes: {}, tokens };
  });
  return addSegment(rows, version, undefined);
}

const words = (...given: [word: string, weight: number][]): QueryWord[] =>
  given.map(([word, weight]) => ({ word, weight }));

function search(segments: readonly Segment[], asked: QueryWord[], version = 1) {
  const targets = segments.map(({ rows, index }) => ({
    searcher: createWordSearcher(rows, (index as { words: WordSegment }).words, createScratch()),
    scope: { version, aclIds: [1], filter: undefined },
  }));
  return searchWords(targets, asked, 10);
}
const find = (texts: readonly string[], asked: QueryWord[]) =>
  search([segmentOf(texts)], asked).map(({ position }) => position);

test('a row with the word that weighs more comes first', () => {
  const texts = ['apple x', 'pear x', 'x y', 'y z'];
  expect(find(texts, words(['apple', 1], ['pear', 0.5]))).toEqual([0, 1]);
  expect(find(texts, words(['apple', 0.5], ['pear', 1]))).toEqual([1, 0]);
});

test('the score is BM25 with the documented constants', () => {
  const texts = ['apple apple pear', 'pear', 'plum plum'];
  const [hit] = search([segmentOf(texts)], words(['apple', 1]));
  const idf = Math.log(1 + (3 - 1 + 0.5) / (1 + 0.5));
  const norm = 1.2 * (1 - 0.75 + (0.75 * 3) / 2);
  expect(hit?.score).toBeCloseTo((idf * 2 * 2.2) / (2 + norm), 12);
});

test('a word that every row has still finds them', () => {
  expect(find(['apple', 'apple'], words(['apple', 1]))).toEqual([0, 1]);
});

test('statistics are those of all segments together, and access lists hold in each', () => {
  const segments = [segmentOf(['apple', 'pear']), segmentOf(['apple', 'apple pear'], [2, 1])];
  const hits = search(segments, words(['apple', 1]));
  expect(hits.map(({ target, position }) => [target, position])).toEqual([
    [0, 0],
    [1, 1],
  ]);
});

test('scores are those of the version alone, whatever rows other versions have, and the same after a merge', () => {
  const [first, second] = [segmentOf(['apple', 'apple pear', 'fig']), segmentOf(['apple fig', 'plum'], undefined, 2)];
  const scores = (segments: readonly Segment[], version: number) =>
    search(segments, words(['apple', 1], ['fig', 1]), version).map(({ score }) => score);
  const alone = scores([first], 1);
  expect(scores([first, second], 1)).toEqual(alone);
  const both = scores([first, second], 2).toSorted();
  expect(scores([mergeSegments([second, first]).segment], 2).toSorted()).toEqual(both);
  expect(scores([mergeSegments([second, first]).segment], 1)).toEqual(alone);
  // A row that is removed or deleted counts no longer, in statistics that were there before too.
  const merged = mergeSegments([first, second]).segment;
  const searcher = createWordSearcher(merged.rows, (merged.index as { words: WordSegment }).words, createScratch());
  expect(searcher.statisticsOf(2).frequencyOf('apple')).toBe(3);
  markRows(merged.rows, { kind: 'forget', keys: [merged.rows.keys[0] as number] });
  expect(searcher.statisticsOf(2).frequencyOf('apple')).toBe(2);
  expect(searcher.statisticsOf(2).rowCount).toBe(4);
  expect(mergeSegments([merged]).segment.rows.keys).toHaveLength(4);
});
