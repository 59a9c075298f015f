import { expect, test } from 'vitest';
import type { PassageRecord } from '../../catalog/passage-record.ts';
import { joinNeighbours } from './neighbours.ts';

const document = 'One sentence. Two sentences. Three sentences.\n\nFour sentences.';
const chunk = (ordinal: number, startOffset: number, endOffset: number): PassageRecord => ({
  key: ordinal + 1,
  chunkId: `c${ordinal}`,
  ordinal,
  language: 2,
  startOffset,
  endOffset,
  headingPath: [],
  text: document.slice(startOffset, endOffset),
  documentId: 'd',
  title: 'D',
  url: '',
  corpusId: 1,
});
const [first, second, third, fourth] = [chunk(0, 0, 20), chunk(1, 14, 28), chunk(2, 29, 45), chunk(3, 47, 62)] as const;

test('what two chunks share comes once', () => {
  const { record, joinedIds } = joinNeighbours(second, [first]);
  expect(record).toMatchObject({ text: 'One sentence. Two sentences.', startOffset: 0, endOffset: 28 });
  expect(joinedIds).toEqual(['c0']);
});

test('a gap between two chunks becomes a line break', () => {
  const { record, joinedIds } = joinNeighbours(third, [second, fourth]);
  expect(record.text).toBe('Two sentences.\nThree sentences.\nFour sentences.');
  expect([record.startOffset, record.endOffset]).toEqual([14, 62]);
  expect(joinedIds).toEqual(['c1', 'c3']);
});

test('a chunk beyond a missing one is not joined', () => {
  const { record, joinedIds } = joinNeighbours(third, [first, fourth]);
  expect(record.text).toBe('Three sentences.\nFour sentences.');
  expect(joinedIds).toEqual(['c3']);
});

test('without neighbours the passage stays as it is', () => {
  expect(joinNeighbours(first, [])).toEqual({ record: first, joinedIds: [] });
});
