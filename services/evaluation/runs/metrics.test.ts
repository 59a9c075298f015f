import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  documentsOf,
  hitAt,
  isJudged,
  ndcgAt,
  percentile,
  recallAt,
  reciprocalRankAt,
  reportedMetrics,
} from './metrics.ts';

describe('worked out by hand', () => {
  const grades = new Map([
    ['a', 3],
    ['b', 1],
    ['c', 2],
    ['d', 0],
  ]);
  const ranking = ['x', 'b', 'a', 'd', 'y'];

  test('nDCG weighs grades by rank, relative to the best order of all judged documents', () => {
    // (1 / log2 3 + 3 / log2 4) / (3 / log2 2 + 2 / log2 3 + 1 / log2 4) = 2.13093 / 4.76186
    expect(ndcgAt(10)(ranking, grades)).toBeCloseTo(0.4475, 4);
    expect(ndcgAt(2)(ranking, grades)).toBeCloseTo(0.63093 / 4.26186, 5);
    expect(ndcgAt(1)(ranking, grades)).toBe(0);
    expect(ndcgAt(10)(['a', 'c', 'b'], grades)).toBe(1);
  });

  test('nDCG@10 ignores what comes after rank 10', () => {
    const others = Array.from({ length: 10 }, (_, index) => `other-${index}`);
    expect(ndcgAt(10)([...others, 'a'], grades)).toBe(0);
    expect(ndcgAt(10)([...others.slice(1), 'a'], new Map([['a', 1]]))).toBeCloseTo(1 / Math.log2(11), 12);
  });

  test('recall counts documents with a grade, found and to be found', () => {
    expect(recallAt(10)(ranking, grades)).toBeCloseTo(2 / 3, 12);
    expect(recallAt(2)(ranking, grades)).toBeCloseTo(1 / 3, 12);
  });

  test('the reciprocal rank is that of the first document with a grade', () => {
    expect(reciprocalRankAt(10)(ranking, grades)).toBe(0.5);
    expect(reciprocalRankAt(1)(ranking, grades)).toBe(0);
  });

  test('a hit is any document with a grade; grade 0 is none', () => {
    expect([hitAt(1)(ranking, grades), hitAt(5)(ranking, grades), hitAt(5)(['d'], grades)]).toEqual([0, 1, 0]);
  });
});

test('a document has the rank of its best passage', () => {
  const passages = ['b', 'a', 'b', 'c', 'a'].map((documentId) => ({ documentId }));
  expect(documentsOf(passages)).toEqual(['b', 'a', 'c']);
});

test('only a question with an answer is judged', () => {
  expect([isJudged([]), isJudged([{ grade: 0 }]), isJudged([{ grade: 0 }, { grade: 1 }])]).toEqual([
    false,
    false,
    true,
  ]);
});

test('every metric is 0 without a ranking, 1 for the ideal one, and between for any', () => {
  const grade = fc.integer({ min: 0, max: 10 });
  const judged = fc
    .dictionary(fc.string(), grade)
    .filter((grades) => isJudged(Object.values(grades).map((grade) => ({ grade }))));
  fc.assert(
    fc.property(judged, fc.uniqueArray(fc.string()), (given, found) => {
      const grades = new Map(Object.entries(given));
      const relevant = [...grades].filter(([, value]) => value > 0).sort(([, a], [, b]) => b - a);
      const ideal = relevant.slice(0, 10).map(([id]) => id);
      for (const { name, metric } of reportedMetrics) {
        expect(metric([], grades)).toBe(0);
        expect(metric(found, grades)).toBeGreaterThanOrEqual(0);
        expect(metric(found, grades)).toBeLessThanOrEqual(1 + 1e-12);
        if (name !== 'Recall@10' || relevant.length <= 10) expect(metric(ideal, grades)).toBeCloseTo(1, 12);
      }
    }),
  );
});

test('a percentile is the value of the nearest rank', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => index + 1);
  expect([percentile(hundred, 0.5), percentile(hundred, 0.99), percentile([7], 0.99), percentile([], 0.5)]).toEqual([
    50, 99, 7, 0,
  ]);
});
