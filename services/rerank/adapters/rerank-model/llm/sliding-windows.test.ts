import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isPermutation, rankByWindows, windowStarts } from './sliding-windows.ts';

const bounds = fc
  .record({ size: fc.integer({ min: 2, max: 20 }), step: fc.integer({ min: 1, max: 19 }) })
  .filter(({ size, step }) => step < size);

test('windows cover every candidate, overlap, and are as few as their step allows', () => {
  fc.assert(
    fc.property(fc.nat(200), bounds, (count, { size, step }) => {
      const starts = windowStarts(count, size, step);
      expect(starts.at(-1)).toBe(0);
      const covered = new Set(starts.flatMap((start) => Array.from({ length: size }, (_, index) => start + index)));
      for (let index = 0; index < count; index++) expect(covered.has(index)).toBe(true);
      for (const [place, start] of starts.entries()) {
        if (place > 0) expect(start).toBeGreaterThanOrEqual((starts[place - 1] as number) - step);
      }
      expect(starts.length).toBe(1 + Math.ceil(Math.max(0, count - size) / step));
    }),
  );
});

test('a judge that is right puts the best candidates of all on top, and loses none', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(fc.nat(), { maxLength: 80 }), bounds, async (values, { size, step }) => {
      const ranked = await rankByWindows(values, { size, step }, async (window) => {
        expect(window.length).toBeLessThanOrEqual(size);
        return [...window.keys()].sort((a, b) => (window[b] as number) - (window[a] as number));
      });
      const sorted = [...values].sort((a, b) => b - a);
      expect([...ranked].sort((a, b) => b - a)).toEqual(sorted);
      // What two windows share is carried from one to the next.
      const carried = size - step;
      expect(ranked.slice(0, carried)).toEqual(sorted.slice(0, carried));
    }),
  );
});

test('only a permutation passes for one', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.integer({ min: -2, max: 8 }), fc.double(), fc.string()), { maxLength: 8 }),
      (order) => {
        const isOne = [...order].sort().every((value, index) => value === index);
        expect(isPermutation(order, order.length)).toBe(isOne);
      },
    ),
  );
  expect(isPermutation([1, 0], 3)).toBe(false);
});

test('an order that is none ends the ranking', async () => {
  await expect(rankByWindows(['a', 'b'], { size: 2, step: 1 }, async () => [0, 0])).rejects.toThrow('no permutation');
});
