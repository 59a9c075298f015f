import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type FusedLeg, fuseNormalised, fuseReciprocalRank } from './fuse.ts';

const leg = (weight: number, ...hits: [key: number, score: number][]): FusedLeg => ({
  weight,
  hits: hits.map(([key, score]) => ({ key, score })),
});

describe('normalised fusion', () => {
  test('scales each leg to 0..1 and weighs it, whatever its own scale', () => {
    const fused = fuseNormalised([leg(0.3, [1, 0.9], [2, 0.5], [3, 0.1]), leg(0.7, [3, 40], [4, 30], [2, 20])]);
    expect(fused.map(({ key, score }) => [key, Number(score.toFixed(3))])).toEqual([
      [3, 0.7],
      [4, 0.35],
      [1, 0.3],
      [2, 0.15],
    ]);
  });

  test('gives a single candidate, or one of equals, the whole weight', () => {
    expect(fuseNormalised([leg(1, [7, 0.01])])).toEqual([{ key: 7, score: 1 }]);
    expect(fuseNormalised([leg(1, [9, 5], [8, 5])]).map(({ key }) => key)).toEqual([8, 9]);
    expect(fuseNormalised([leg(0.3), leg(0.7)])).toEqual([]);
  });
});

describe('reciprocal rank fusion', () => {
  test('adds up 1 / (60 + rank), whatever the scores and weights', () => {
    const fused = fuseReciprocalRank([leg(0.9, [1, 0.2], [2, 0.1]), leg(0.1, [2, 99], [3, 1])]);
    expect(fused.map(({ key }) => key)).toEqual([2, 1, 3]);
    expect(fused[0]?.score).toBeCloseTo((61 / 62 + 1) / 2);
    expect(fuseReciprocalRank([leg(0.5, [1, 1]), leg(0.5, [1, 1])])[0]?.score).toBe(1);
  });
});

test('fusion keeps every candidate once, in order of score, between 0 and 1', () => {
  const hits = fc.uniqueArray(fc.tuple(fc.nat(50), fc.double({ noNaN: true, min: -10, max: 100 })), {
    selector: ([key]) => key,
    maxLength: 30,
  });
  fc.assert(
    fc.property(hits, hits, fc.double({ noNaN: true, min: 0, max: 1 }), (vector, keyword, weight) => {
      const inOrder = (list: [number, number][]) => list.toSorted((a, b) => b[1] - a[1]);
      const legs = [leg(weight, ...inOrder(vector)), leg(1 - weight, ...inOrder(keyword))];
      for (const fuse of [fuseNormalised, fuseReciprocalRank]) {
        const fused = fuse(legs);
        expect(new Set(fused.map(({ key }) => key))).toEqual(new Set([...vector, ...keyword].map(([key]) => key)));
        expect(fused.length).toBe(new Set(fused.map(({ key }) => key)).size);
        for (const [position, { score }] of fused.entries()) {
          expect(score).toBeGreaterThanOrEqual(0);
          expect(score).toBeLessThanOrEqual(fused[position - 1]?.score ?? 1);
        }
      }
    }),
  );
});
