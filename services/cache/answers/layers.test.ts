import { expect, test } from 'vitest';
import { CacheLayer } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { createLogger } from '#kit/base/log.ts';
import { stretched } from '#kit/testing/time.ts';
import { adapter } from '../adapters/answer-store/memory.ts';
import { answerOf, keyOf } from '../suites/answer-store.suite.ts';
import { storeDeps } from '../testing/cache.ts';
import { type AnswerStore, ChangedBytesError, type StoreListener } from './answer-store.ts';
import { createLayers, type LayersParts } from './layers.ts';
import { createGuard } from './store-guard.ts';

const newStore = () => adapter.create({}, storeDeps()) as AnswerStore;
const key = keyOf(1);

async function layersOver(durable: AnswerStore, init: Partial<LayersParts> = {}) {
  let listener: StoreListener | undefined;
  const layers = await createLayers({
    memory: newStore(),
    openDurable: async (given) => {
      listener = given;
      return durable;
    },
    guard: createGuard('answer-store', () => {}),
    clock: () => 0,
    detachedMs: 1000,
    onInvalidated: () => {},
    onCorrupt: () => {},
    log: createLogger('silent'),
    ...init,
  });
  return { layers, listener: listener as StoreListener };
}

/** A durable store whose next call waits until it is released. */
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
  const { layers } = await layersOver(durable.store);
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
  const { layers } = await layersOver(durable.store);
  durable.close();
  const keeping = layers.keep(answerOf(), layers.epoch('acme'), 1000);
  await durable.reached();
  await layers.invalidate('acme', { kind: 'all' });
  durable.open();
  await keeping;
  expect(await layers.findInMemory('acme', key)).toBeUndefined();
  expect(await durable.inner.get('acme', key)).toBeUndefined();
});

test('a durable store that is late is a miss in time', async () => {
  const durable = heldStore();
  const { layers } = await layersOver(durable.store);
  await durable.inner.put(answerOf());
  durable.close();
  const startedAt = performance.now();
  expect(await layers.findDurable('acme', key, 30)).toBeUndefined();
  expect(performance.now() - startedAt).toBeLessThan(stretched(1000));
  durable.open();
});

test('a durable store that fails costs look-ups and fills nothing, and an invalidation says so', async () => {
  const broken = () => Promise.reject(new Error('the disk is gone'));
  const durable: AnswerStore = { ...newStore(), get: broken, put: broken, invalidate: broken };
  const { layers } = await layersOver(durable);
  expect(await layers.findDurable('acme', key, 100)).toBeUndefined();
  await layers.keep(answerOf(), layers.epoch('acme'), 100);
  expect((await layers.findInMemory('acme', key))?.layer).toBe(CacheLayer.MEMORY);
  await expect(layers.invalidate('acme', { kind: 'all' })).rejects.toMatchObject({ code: 14 });
  expect(await layers.findInMemory('acme', key)).toBeUndefined();
});

test('an answer that cannot be read is dropped from every layer', async () => {
  const durable = newStore();
  const { layers } = await layersOver(durable);
  await layers.keep(answerOf(), layers.epoch('acme'), 100);
  await layers.drop('acme', key, new Error('changed'));
  expect(await layers.findInMemory('acme', key)).toBeUndefined();
  expect(await durable.get('acme', key)).toBeUndefined();
});

test('a durable answer whose bytes have changed is a miss, dropped and counted', async () => {
  const store = newStore();
  const corrupt: string[] = [];
  const changed = { ...store, get: () => Promise.reject(new ChangedBytesError('changed')) };
  const { layers } = await layersOver(changed, { onCorrupt: (tenant) => corrupt.push(tenant) });
  await store.put(answerOf());
  expect(await layers.findDurable('acme', key, 100)).toBeUndefined();
  expect(corrupt).toEqual(['acme']);
  expect(await store.get('acme', key)).toBeUndefined();
});

test('a durable store that fails repeatedly is not called while its circuit is open, and is called again later', async () => {
  let callCount = 0;
  let isBroken = true;
  const store = newStore();
  const get: AnswerStore['get'] = (tenant, wanted) => {
    callCount++;
    return isBroken ? Promise.reject(new Error('away')) : store.get(tenant, wanted);
  };
  const { layers } = await layersOver({ ...store, get });
  for (let round = 0; round < 50; round++) await layers.findDurable('acme', key, 100);
  expect(callCount).toBe(5);
  isBroken = false;
  await store.put(answerOf());
  await expect.poll(() => layers.findDurable('acme', key, 100), { timeout: 5000 }).toBeDefined();
});

test('what another replica invalidates is removed from memory, and running generations are notified', async () => {
  const heard: unknown[] = [];
  const { layers, listener } = await layersOver(newStore(), {
    onInvalidated: (tenant, target) => heard.push([tenant, target]),
  });
  await layers.keep(answerOf(), layers.epoch('acme'), 100);
  const target = { kind: 'label', label: 'document:d1' } as const;
  listener.invalidated('acme', target);
  expect(await layers.findInMemory('acme', key)).toBeUndefined();
  expect(heard).toEqual([['acme', target]]);
});

test('cut off from other replicas, memory is believed for a while, and then again once they are heard', async () => {
  let nowMs = 0;
  const { layers, listener } = await layersOver(newStore(), { clock: () => nowMs });
  listener.epoch('acme', 'era.1');
  await layers.keep(answerOf(), layers.epoch('acme'), 100);
  listener.attached(false);
  nowMs = 1000;
  expect(await layers.findInMemory('acme', key)).toBeDefined();
  nowMs = 1001;
  expect(await layers.findInMemory('acme', key)).toBeUndefined();
  listener.attached(true);
  expect(await layers.findInMemory('acme', key)).toBeDefined();
});

test('a tenant of whose invalidations nothing is known is forgotten when other replicas are heard again', async () => {
  const { layers, listener } = await layersOver(newStore());
  listener.attached(false);
  await layers.findDurable('acme', keyOf(2), 100);
  await layers.keep(answerOf(), layers.epoch('acme'), 100);
  listener.attached(true);
  expect(await layers.findInMemory('acme', key)).toBeUndefined();
});
