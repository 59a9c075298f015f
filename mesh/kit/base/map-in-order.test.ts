import fc from 'fast-check';
import { expect, test } from 'vitest';
import { mapInOrder } from './map-in-order.ts';
import { collect } from './streams.ts';

const never = new AbortController().signal;

test('results come in the order of the inputs whatever order they finish in', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(6), { maxLength: 20 }), fc.integer({ min: 1, max: 5 }), async (turns, width) => {
      const results = mapInOrder([...turns.entries()], width, never, async ([index, count]) => {
        for (let turn = 0; turn < count; turn++) await new Promise(setImmediate);
        return index;
      });
      expect(await collect(results)).toEqual([...turns.keys()]);
    }),
    { numRuns: 50 },
  );
});

test('results come in order, with a bounded number running', async () => {
  let running = 0;
  let most = 0;
  const results = mapInOrder([3, 1, 2, 0, 1], 2, never, async (turns) => {
    most = Math.max(most, ++running);
    for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
    running--;
    return turns;
  });
  expect(await collect(results)).toEqual([3, 1, 2, 0, 1]);
  expect(most).toBe(2);
});

test('a failure ends the results and aborts the rest', async () => {
  const signals: AbortSignal[] = [];
  const results = mapInOrder([1, 2, 3], 2, never, async (input, signal) => {
    signals.push(signal);
    if (input === 1) throw new Error('first');
    return input;
  });
  await expect(collect(results)).rejects.toThrow('first');
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
});
