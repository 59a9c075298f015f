import fc from 'fast-check';
import { expect, test } from 'vitest';
import { applyBoosts } from './boost.ts';

const candidate = (score: number, boost?: number): { score: number; record: { boost?: number } } => ({
  score,
  record: boost === undefined ? {} : { boost },
});
const order = (candidates: readonly ReturnType<typeof candidate>[]) =>
  applyBoosts(candidates, ({ score }) => score).map(({ score }) => score);

test('a boost moves a candidate by at most a quarter of the distance from the worst to the best score', () => {
  expect(order([candidate(1), candidate(0.8, 1), candidate(0)])).toEqual([0.8, 1, 0]);
  expect(order([candidate(1), candidate(0.7, 1), candidate(0)])).toEqual([1, 0.7, 0]);
  expect(order([candidate(1, -1), candidate(0.8), candidate(0)])).toEqual([0.8, 1, 0]);
  // The same for scores of another range.
  expect(order([candidate(10), candidate(8, 1), candidate(0)])).toEqual([8, 10, 0]);
});

test('of equal scores the raised one is first; without a boost the list is the same object', () => {
  expect(applyBoosts([candidate(1), candidate(1, 0.1)], ({ score }) => score)[0]?.record).toEqual({ boost: 0.1 });
  const plain = [candidate(1), candidate(2)];
  expect(applyBoosts(plain, ({ score }) => score)).toBe(plain);
});

test('whatever the boosts, a candidate passes only those whose score is less than half of the range away', () => {
  const one = fc.record({
    score: fc.double({ min: 0, max: 1, noNaN: true }),
    boost: fc.double({ min: -1, max: 1, noNaN: true }),
  });
  fc.assert(
    fc.property(fc.array(one, { minLength: 2, maxLength: 20 }), (list) => {
      const sorted = list.map(({ score, boost }) => candidate(score, boost)).sort((a, b) => b.score - a.score);
      const range = (sorted[0]?.score ?? 0) - (sorted.at(-1)?.score ?? 0);
      const result = applyBoosts(sorted, ({ score }) => score);
      expect(new Set(result)).toEqual(new Set(sorted));
      if (range === 0) return;
      for (const [at, { score }] of result.entries())
        for (const after of result.slice(at + 1)) expect(after.score - score).toBeLessThanOrEqual(range / 2 + 1e-9);
    }),
  );
});
