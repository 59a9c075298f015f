import { expect, test } from 'vitest';
import { bootstrapIntervals, seededRandom } from './bootstrap.ts';

/** Half zeros, half ones. */
const halves = (count: number) => Float64Array.from({ length: count }, (_, index) => index % 2);

test('an interval is that of the normal distribution if there are many questions', async () => {
  const [interval] = await bootstrapIntervals([halves(2000)], seededRandom(1));
  // Mean .5, standard error .5 / sqrt(2000) = .01118, and 1.96 of these to each side.
  expect(interval?.mean).toBe(0.5);
  expect(interval?.low).toBeCloseTo(0.5 - 1.96 * 0.01118, 2);
  expect(interval?.high).toBeCloseTo(0.5 + 1.96 * 0.01118, 2);
});

test('the same scores give the same interval, also beside other metrics', async () => {
  const alone = await bootstrapIntervals([halves(40)], seededRandom(7));
  const beside = await bootstrapIntervals([halves(40), new Float64Array(40).fill(0.25)], seededRandom(7));
  expect(beside[0]).toEqual(alone[0]);
  expect(beside[1]).toEqual({ mean: 0.25, low: 0.25, high: 0.25 });
});

test('fewer questions give a wider interval', async () => {
  const width = async (count: number) => {
    const [interval] = await bootstrapIntervals([halves(count)], seededRandom(3));
    return (interval?.high ?? 0) - (interval?.low ?? 0);
  };
  expect(await width(20)).toBeGreaterThan(3 * (await width(2000)));
});

test('no questions give zeros', async () => {
  expect(await bootstrapIntervals([new Float64Array()], seededRandom(1))).toEqual([{ mean: 0, low: 0, high: 0 }]);
});

test('the seeded source is even, and gives other numbers for another seed', () => {
  const draw = (seed: number) => Array.from({ length: 10_000 }, seededRandom(seed));
  const numbers = draw(1);
  expect(numbers.every((number) => number >= 0 && number < 1)).toBe(true);
  expect(numbers.reduce((sum, number) => sum + number, 0) / numbers.length).toBeCloseTo(0.5, 1);
  expect(draw(2)).not.toEqual(numbers);
});
