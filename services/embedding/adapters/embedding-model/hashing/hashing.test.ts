import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { createLogger } from '#kit/base/log.ts';
import { embeddingModelSuite } from '../../../suites/embedding-model.suite.ts';
import { hashText } from './hash-text.ts';
import { adapter } from './index.ts';

const create = async () => adapter.create({ dimensions: 384, threads: 2 }, { log: createLogger('silent') });
embeddingModelSuite('hashing', create);

test('vectors are the same in every release: an index outlives the program that wrote it', () => {
  const text = '流明台灯 LMP-2040 支持 7 天无理由退货。Returns are free within 30 days, running shoes included.';
  const vector = new Float32Array(384);
  hashText(text, vector);
  // If this changes, hashingVersion must change with it.
  const rounded = [...vector].map((value) => value.toFixed(4)).join();
  expect(createHash('sha256').update(rounded).digest('hex').slice(0, 16)).toBe('5355eb8f3996cff8');
});

test('any text at all gives a vector of length 1 or nothing', () => {
  const vector = new Float32Array(128);
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 100 }), (text) => {
      hashText(text, vector);
      const length = Math.hypot(...vector);
      expect(length === 0 || Math.abs(length - 1) < 1e-4).toBe(true);
    }),
  );
});

test('a text gets the same vector in a thread as without one', async () => {
  await using model = Object.assign(await create(), {
    [Symbol.asyncDispose]: () => model.close(),
  });
  const { signal } = new AbortController();
  const short = '退货运费由谁承担';
  const alone = await model.embed([short], Purpose.QUERY, signal);
  const inThread = await model.embed([short, 'x'.repeat(10_000)], Purpose.DOCUMENT, signal);
  expect(inThread.vectors[0]).toEqual(alone.vectors[0]);
});

test('a large batch leaves the event loop free', async () => {
  const model = await create();
  const texts = Array.from(
    { length: model.maxBatch },
    (_, index) => `Section ${index}. ${'退货政策与运费说明。'.repeat(400)}`,
  );
  let turns = 0;
  const turn = setInterval(() => turns++, 1);
  await model.embed(texts, Purpose.DOCUMENT, new AbortController().signal);
  clearInterval(turn);
  expect(turns).toBeGreaterThan(5);
  await model.close();
});

test('closing rejects what runs', async () => {
  const model = await create();
  const texts = Array.from({ length: model.maxBatch }, () => '退货政策与运费说明。'.repeat(400));
  const running = model.embed(texts, Purpose.DOCUMENT, new AbortController().signal);
  const rejected = expect(running).rejects.toThrow('is closing');
  await model.close();
  await rejected;
});
