import { expect, test } from 'vitest';
import { CacheLayer } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { createLogger } from '#kit/log.ts';
import { adapter } from './adapters/answer-store/memory.ts';
import { answerOf, keyOf } from './answer-store.suite.ts';
import type { AnswerStore } from './answer-store.ts';
import { createLayers } from './layers.ts';

const log = createLogger('silent');
const openDatabase = () => Promise.reject(new Error('no database here'));
const newStore = () => adapter.create({}, { maxBytes: 1_000_000, clock: () => 0, openDatabase }) as AnswerStore;
const key = keyOf(1);

/** A durable store whose next call waits until it is let go. */
function heldStore() {
  const inner = newStore();
  let gate: PromiseWithResolvers<void> | undefined;
  let reached = Promise.withResolvers<void>();
  const hold = async () => {
    reached.resolve();
    await gate?.promise;
  };
  const store: AnswerStore = {
    ...inner,
    async get(tenant, wanted) {
      const found = await inner.get(tenant, wanted);
      await hold();
      return found;
    },
    async put(answer) {
      await inner.put(answer);
      await hold();
    },
  };
  return {
    store,
    inner,
    close: () => {
      gate = Promise.withResolvers();
      reached = Promise.withResolvers();
    },
    open: () => gate?.resolve(),
    reached: () => reached.promise,
  };
}

test('an answer that is read from below while it is invalidated does not come up again', async () => {
  const durable = heldStore();
  const layers = createLayers({ memory: newStore(), durable: durable.store, log });
  await durable.inner.put(answerOf());
  durable.close();
  const reading = layers.findDurable('acme', key, 1000);
  await durable.reached();
  expect(await layers.invalidate('acme', { kind: 'all' })).toBe(1);
  durable.open();
  expect(await reading).toBeUndefined();
  expect(await layers.findInMemory('acme', key)).toBeUndefined();
});

test('an answer that is written while it is invalidated is taken back', async () => {
  const durable = heldStore();
  const layers = createLayers({ memory: newStore(), durable: durable.store, log });
  durable.close();
  const keeping = layers.keep(answerOf(), layers.epoch(), 1000);
  await durable.reached();
  await layers.invalidate('acme', { kind: 'all' });
  durable.open();
  await keeping;
  expect(await layers.findInMemory('acme', key)).toBeUndefined();
  expect(await durable.inner.get('acme', key)).toBeUndefined();
});

test('a durable store that is late is a miss in time', async () => {
  const durable = heldStore();
  const layers = createLayers({ memory: newStore(), durable: durable.store, log });
  await durable.inner.put(answerOf());
  durable.close();
  const startedAt = performance.now();
  expect(await layers.findDurable('acme', key, 30)).toBeUndefined();
  expect(performance.now() - startedAt).toBeLessThan(1000);
  durable.open();
});

test('a durable store that fails costs look-ups and fills nothing, and an invalidation says so', async () => {
  const broken = () => Promise.reject(new Error('the disk is gone'));
  const durable: AnswerStore = { ...newStore(), get: broken, put: broken, invalidate: broken, remove: broken };
  const layers = createLayers({ memory: newStore(), durable, log });
  expect(await layers.findDurable('acme', key, 100)).toBeUndefined();
  await layers.keep(answerOf(), layers.epoch(), 100);
  expect((await layers.findInMemory('acme', key))?.layer).toBe(CacheLayer.MEMORY);
  await expect(layers.invalidate('acme', { kind: 'all' })).rejects.toMatchObject({ code: 14 });
  expect(await layers.findInMemory('acme', key)).toBeUndefined();
});

test('an answer that cannot be read is dropped from every layer', async () => {
  const durable = newStore();
  const layers = createLayers({ memory: newStore(), durable, log });
  await layers.keep(answerOf(), layers.epoch(), 100);
  await layers.drop(answerOf(), new Error('changed'));
  expect(await layers.findInMemory('acme', key)).toBeUndefined();
  expect(await durable.get('acme', key)).toBeUndefined();
});
