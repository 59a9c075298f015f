import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { createFromAdapter } from '#kit/host/config/adapters.ts';
import { hasRedis, type RedisTopology, redisAdvice, redisTopologies } from '#kit/testing/redis.ts';
import { skipped } from '#kit/testing/server.ts';
import type { AnswerStore, AnswerStoreDeps } from '../../../answers/answer-store.ts';
import type { FlightStore, FlightStoreDeps } from '../../../flights/flight-store.ts';
import { answerOf, answerStoreSuite, keyOf } from '../../../suites/answer-store.suite.ts';
import { flightStoreSuite } from '../../../suites/flight-store.suite.ts';
import { storeDeps } from '../../../testing/cache.ts';

// The stores of the cache over every topology of Redis.

let prefixes = 0;
const adapters = (port: string) => new URL(`../../${port}/`, import.meta.url);
const newPrefix = () => `test${++prefixes}:`;

const openAnswers = (settings: object, deps: Partial<AnswerStoreDeps> = {}) =>
  createFromAdapter<AnswerStore, AnswerStoreDeps>(
    adapters('answer-store'),
    'redis',
    { key_prefix: newPrefix(), ...settings },
    storeDeps(deps),
    'cache.durable_store',
  );

describe.skipIf(!hasRedis && skipped('redis', 120, redisAdvice)).each(redisTopologies)(
  'Redis as $name',
  ({ name, start }) => {
    let topology: RedisTopology;
    beforeAll(async () => {
      topology = await start();
    }, 60_000);
    afterAll(() => topology[Symbol.asyncDispose]());

    answerStoreSuite(
      name,
      async (maxBytes) => {
        let nowMs = 1_000_000;
        const store = await openAnswers(topology.settings, { maxBytes, clock: () => nowMs });
        return {
          store,
          advance: (ms) => {
            nowMs += ms;
          },
          now: () => nowMs,
          close: () => store.close(),
        };
      },
      { bounded: false },
    );

    flightStoreSuite(name, async (deps) => {
      const given = { ...topology.settings, key_prefix: newPrefix(), lease_ms: 5000 };
      const open = () =>
        createFromAdapter<FlightStore, FlightStoreDeps>(
          adapters('flight-store'),
          'redis',
          given,
          deps,
          'cache.flight_store',
        );
      const [here, there] = [await open(), await open()];
      return {
        here,
        there,
        async close() {
          await here.close();
          await there.close();
        },
      };
    });

    test('what one replica invalidates, the others do not find and hear of, for every tenant', async () => {
      const heard: string[] = [];
      const listener = { epoch() {}, invalidated: (tenant: string) => void heard.push(tenant), attached() {} };
      const given = { ...topology.settings, key_prefix: newPrefix() };
      const [one, other] = [await openAnswers(given), await openAnswers(given, { listener })];
      onTestFinished(async () => {
        await one.close();
        await other.close();
      });
      const tenants = Array.from({ length: 12 }, (_, index) => `tenant-${index}`);
      for (const tenant of tenants) await one.put(answerOf({ tenant }));
      for (const tenant of tenants) expect(await other.get(tenant, keyOf(1))).toBeDefined();
      for (const tenant of tenants) await one.invalidate(tenant, { kind: 'label', label: 'document:d1' });
      for (const tenant of tenants) expect(await other.get(tenant, keyOf(1))).toBeUndefined();
      await expect.poll(() => new Set(heard).size, { timeout: 30_000, interval: 100 }).toBe(tenants.length);
    });
  },
);
