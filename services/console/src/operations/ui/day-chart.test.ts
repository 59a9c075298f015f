import fc from 'fast-check';
import { expect, test } from 'vitest';
import { niceTop } from './day-chart.tsx';

test('the top of a scale is a round number, not below what is shown and at most 2.5 times of it', () => {
  expect([0, 0.03, 1, 7, 20, 201].map(niceTop)).toEqual([1, 0.05, 1, 10, 20, 500]);
  fc.assert(
    fc.property(fc.double({ min: 1e-6, max: 1e12, noNaN: true }), (value) => {
      expect(niceTop(value) / value).toBeGreaterThan(1 - 1e-9);
      expect(niceTop(value) / value).toBeLessThanOrEqual(2.5 + 1e-9);
    }),
  );
});
