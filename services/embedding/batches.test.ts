import fc from 'fast-check';
import { expect, test } from 'vitest';
import { collect } from '#kit/streams.ts';
import { cutBatches, mapInOrder } from './batches.ts';

const never = new AbortController().signal;

test('batches hold every text once, in order, and none is too large', () => {
  fc.assert(
    fc.property(fc.array(fc.string()), fc.integer({ min: 1, max: 10 }), (texts, size) => {
      const batches = cutBatches(texts, size);
      expect(batches.flatMap((batch) => batch.texts)).toEqual(texts);
      for (const { firstIndex, texts: cut } of batches) {
        expect(cut.length).toBeLessThanOrEqual(size);
        expect(texts[firstIndex]).toBe(cut[0]);
      }
    }),
  );
});

test('results come in order, with a bounded number under way', async () => {
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
