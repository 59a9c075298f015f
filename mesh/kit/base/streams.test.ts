import { expect, test } from 'vitest';
import { collect, createChannel, sleep } from './streams.ts';
import { fromVector, toVector } from './vectors.ts';

test('a channel makes its producer wait, and gives everything in order', async () => {
  const channel = createChannel<number>(2);
  let sent = 0;
  const producing = (async () => {
    for (; sent < 10; sent++) await channel.send(sent);
    channel.close();
  })();
  await sleep(5);
  expect(sent).toBe(2);
  expect(await collect(channel)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  await producing;
});

test('a producer learns that its consumer has left', async () => {
  const channel = createChannel<number>(1);
  const results: boolean[] = [];
  const producing = (async () => {
    for (let value = 0; value < 5; value++) results.push(await channel.send(value));
  })();
  for await (const value of channel) if (value === 1) break;
  await producing;
  expect(results.at(-1)).toBe(false);
});

test('an error closes a channel after what was sent', async () => {
  const channel = createChannel<number>(4);
  await channel.send(1);
  channel.close(new Error('broken'));
  const seen: number[] = [];
  await expect(
    (async () => {
      for await (const value of channel) seen.push(value);
    })(),
  ).rejects.toThrow('broken');
  expect(seen).toEqual([1]);
});

test('collecting is bounded, and a sleep ends with its signal', async () => {
  const channel = createChannel<number>(5);
  for (const value of [1, 2, 3]) await channel.send(value);
  channel.close();
  await expect(collect(channel, 2)).rejects.toThrow(RangeError);
  await expect(sleep(10_000, AbortSignal.timeout(5))).rejects.toMatchObject({ name: 'TimeoutError' });
});

test('a vector comes back as it went, also from bytes that are not aligned', () => {
  const values = new Float32Array([1, -0.5, 3e-8]);
  const vector = toVector(values);
  expect(fromVector(vector)).toEqual(values);
  if (vector.kind.case !== 'dense') throw new Error('not dense');
  const shifted = new Uint8Array(13);
  shifted.set(vector.kind.value.values, 1);
  vector.kind.value.values = shifted.subarray(1);
  expect(fromVector(vector)).toEqual(values);
  vector.kind.value.dimensions = 4;
  expect(() => fromVector(vector)).toThrow('16 bytes, not 12');
});
