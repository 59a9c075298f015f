import { Code, ConnectError } from '@connectrpc/connect';
import { expect, test } from 'vitest';
import { createGroupCommit } from './group-commit.ts';

const limits = { maxQueued: 100, maxQueuedBytes: 1000, maxBatch: 10 };

test('values that come together are written together, in order, in batches of a bounded size', async () => {
  const batches: number[][] = [];
  const group = createGroupCommit<number, string>({
    ...limits,
    async commit(batch) {
      batches.push([...batch]);
      return batch.map((value) => `#${value}`);
    },
  });
  const results = await Promise.all(Array.from({ length: 25 }, (_, index) => group.append(index, 1)));
  expect(results).toEqual(Array.from({ length: 25 }, (_, index) => `#${index}`));
  expect(batches.map((batch) => batch.length)).toEqual([10, 10, 5]);
});

test.each([
  ['values', 1, 100],
  ['bytes', 300, 3],
])('more %s than may wait are refused, and the rest is written', async (_, sizeBytes, fitting) => {
  const group = createGroupCommit<number, number>({ ...limits, commit: async (batch) => batch });
  const results = await Promise.allSettled(
    Array.from({ length: fitting + 2 }, (_, index) => group.append(index, sizeBytes)),
  );
  const refused = results.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[];
  expect(refused.map(({ reason }) => ConnectError.from(reason).code)).toEqual([
    Code.ResourceExhausted,
    Code.ResourceExhausted,
  ]);
  await expect(group.append(1, sizeBytes)).resolves.toBe(1);
});

test('a failed batch rejects its own values and no others; one refused value only itself', async () => {
  const group = createGroupCommit<number, number>({
    ...limits,
    async commit(batch) {
      if (batch.includes(3)) throw new Error('disk full');
      return batch.map((value) => (value === 14 ? new Error('refused') : value));
    },
  });
  const results = await Promise.allSettled(Array.from({ length: 20 }, (_, index) => group.append(index, 1)));
  const failed = results.flatMap(({ status }, index) => (status === 'rejected' ? [index] : []));
  expect(failed).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 14]);
  await group.idle();
});
