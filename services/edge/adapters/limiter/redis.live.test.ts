import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLogger } from '#kit/base/log.ts';
import { createFromAdapter } from '#kit/host/config/adapters.ts';
import { hasRedis, type RedisTopology, redisAdvice, redisTopologies } from '#kit/testing/redis.ts';
import { skipped } from '#kit/testing/server.ts';
import type { Limiter, LimiterDeps } from '../../admission/limiter.ts';
import { limiterSuite } from '../../suites/limiter.suite.ts';

// The limiter over every topology of Redis.

let prefixes = 0;

describe.skipIf(!hasRedis && skipped('redis', 28, redisAdvice)).each(redisTopologies)(
  'Redis as $name',
  ({ name, start }) => {
    let topology: RedisTopology;
    beforeAll(async () => {
      topology = await start();
    }, 60_000);
    afterAll(() => topology[Symbol.asyncDispose]());

    // A slow machine must not fall back to the memory.
    const open = (deps: LimiterDeps, keyPrefix = `test${++prefixes}:`) =>
      createFromAdapter<Limiter, LimiterDeps>(
        new URL('./', import.meta.url),
        'redis',
        { ...topology.settings, key_prefix: keyPrefix, timeout_ms: 5000 } as never,
        deps,
        'edge.limiter',
      );
    limiterSuite(name, (deps) => open(deps));

    test('replicas count every tenant together, with the users of the tenant', async () => {
      const deps = { clock: () => 0, log: createLogger('silent') };
      const replicas = [await open(deps, 'together:'), await open(deps, 'together:')];
      for (let index = 0; index < 12; index++) {
        const tenant = { key: `tenant ${index}`, perSecond: 1, burst: 3 };
        const takes = Array.from({ length: 6 }, (_, count) =>
          (replicas[count % 2] as Limiter).take([tenant, { key: `user ${index} ${count}`, perSecond: 1, burst: 1 }]),
        );
        expect((await Promise.all(takes)).filter(({ admitted }) => admitted)).toHaveLength(3);
      }
      await Promise.all(replicas.map((replica) => replica.close()));
    });
  },
);
