import { afterAll, beforeAll, describe, onTestFinished } from 'vitest';
import { createLogger } from '#kit/base/log.ts';
import { createMetrics } from '#kit/base/metrics/metrics.ts';
import { createFromAdapter } from '#kit/host/config/adapters.ts';
import { hasRedis, type RedisTopology, redisAdvice, redisTopologies } from '#kit/testing/redis.ts';
import { skipped } from '#kit/testing/server.ts';
import type { LimitStore, LimitStoreDeps } from '../../limits/limit-store.ts';
import { limitStoreSuite } from '../../suites/limit-store.suite.ts';

// The limits over every topology of Redis.

let prefixes = 0;

describe.skipIf(!hasRedis && skipped('redis', 48, redisAdvice)).each(redisTopologies)(
  'Redis as $name',
  ({ name, start }) => {
    let topology: RedisTopology;
    beforeAll(async () => {
      topology = await start();
    }, 60_000);
    afterAll(() => topology[Symbol.asyncDispose]());

    // A slow machine must not fall back to the memory, nor may leases end while a test moves its clock.
    const patient = { timeout_ms: 5000, lease_ms: 3_600_000 };
    const open = async (clock: () => number) => {
      const store = await createFromAdapter<LimitStore, LimitStoreDeps>(
        new URL('./', import.meta.url),
        'redis',
        { ...topology.settings, ...patient, key_prefix: `test${++prefixes}:` } as never,
        { clock, random: Math.random, log: createLogger('silent'), metrics: createMetrics() },
        'llm_gateway.limits.store',
      );
      onTestFinished(() => store.close());
      return store;
    };
    limitStoreSuite(name, open, 10);
  },
);
