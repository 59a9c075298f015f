import { expect, test } from 'vitest';
import { segmentsToMerge } from './merge.ts';

const sizes = (...counts: number[]) => counts.map((rowCount, index) => ({ id: index + 1, rowCount }));
const totalOf = (segments: { rowCount: number }[]) => segments.reduce((sum, { rowCount }) => sum + rowCount, 0);
const merged = (...counts: number[]) => segmentsToMerge(sizes(...counts), totalOf(sizes(...counts)));

test('segments of about the same size are merged, and a much larger one stays', () => {
  expect(merged(200, 200, 150)).toEqual([3, 1, 2]);
  expect(merged(100_000, 20, 20, 30)).toEqual([2, 3, 4]);
  expect(merged(100_000, 40_000, 20_000)).toEqual([3, 2, 1]);
});

test('one segment, or segments of which each is much larger than all smaller ones, stay', () => {
  expect(merged()).toEqual([]);
  expect(merged(500)).toEqual([]);
  expect(merged(100_000, 1000, 10)).toEqual([]);
});

test('all are merged if many of their rows are deleted', () => {
  expect(segmentsToMerge(sizes(100_000, 1000), 70_000)).toEqual([1, 2]);
  expect(segmentsToMerge(sizes(100_000, 1000), 90_000)).toEqual([]);
  expect(segmentsToMerge(sizes(10), 0)).toEqual([1]);
});

test('a row is written again a few times in its life, however many segments are added', () => {
  let segments = sizes();
  let [nextId, written] = [1, 0];
  for (let round = 0; round < 1000; round++) {
    segments.push({ id: nextId++, rowCount: 10 });
    const chosen = new Set(segmentsToMerge(segments, totalOf(segments)));
    const parts = segments.filter(({ id }) => chosen.has(id));
    if (parts.length === 0) continue;
    written += totalOf(parts);
    segments = segments.filter(({ id }) => !chosen.has(id));
    segments.push({ id: nextId++, rowCount: totalOf(parts) });
    expect(segments.length).toBeLessThan(12);
  }
  expect(written / 10_000).toBeLessThan(10);
});
