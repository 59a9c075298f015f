import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLogger } from '#kit/base/log.ts';
import { createFromAdapter } from '#kit/host/config/adapters.ts';
import { hasRedis, redisAdvice, startRedis } from '#kit/testing/redis.ts';
import { skipped, type TestServer } from '#kit/testing/server.ts';
import { stretched } from '#kit/testing/time.ts';
import type { Limiter, LimiterDeps } from '../../admission/limiter.ts';
import { limiterSuite } from '../../suites/limiter.suite.ts';

const bucket = { key: 'tenant a', perSecond: 1, burst: 3 };
let prefixes = 0;

const open = (port: number, deps: LimiterDeps, settings: object = {}) =>
  createFromAdapter<Limiter, LimiterDeps>(
    new URL('./', import.meta.url),
    'redis',
    { url: `redis://127.0.0.1:${port}`, key_prefix: `test${++prefixes}:`, ...settings },
    deps,
    'edge.limiter',
  );

describe.skipIf(!hasRedis && skipped('redis', 9, redisAdvice))('a real Redis', () => {
  let server: TestServer;
  let direct: Redis;
  beforeAll(async () => {
    server = await startRedis();
    direct = new Redis(server.port, '127.0.0.1');
  });
  afterAll(async () => {
    direct.disconnect();
    await server[Symbol.asyncDispose]();
  });

  // A slow machine must not fall back to the memory: that is for the tests of faults.
  const patient = { timeout_ms: 5000 };
  limiterSuite('redis', (deps) => open(server.port, deps, patient));

  test('replicas count together: of many concurrent requests, a burst is admitted and no more', async () => {
    const settings = { ...patient, key_prefix: 'together:' };
    const replicas = await Promise.all(
      [1, 2].map(() => open(server.port, { clock: () => 0, log: createLogger('silent') }, settings)),
    );
    const verdicts = await Promise.all(
      Array.from({ length: 60 }, (_, index) => (replicas[index % 2] as Limiter).take([{ ...bucket, burst: 20 }])),
    );
    expect(verdicts.filter(({ admitted }) => admitted)).toHaveLength(20);
    await Promise.all(replicas.map((replica) => replica.close()));
  });

  test('replicas whose clocks differ get no more out of a bucket than one', async () => {
    const settings = { ...patient, key_prefix: 'skew:' };
    const clocks = [10_000, 12_000];
    const replicas = await Promise.all(
      clocks.map((now) => open(server.port, { clock: () => now, log: createLogger('silent') }, settings)),
    );
    let admitted = 0;
    for (let count = 0; count < 20; count++) {
      if ((await (replicas[count % 2] as Limiter).take([bucket])).admitted) admitted++;
    }
    expect(admitted).toBeLessThanOrEqual(3 + 2);
    await Promise.all(replicas.map((replica) => replica.close()));
  });

  test('a bucket that is full again leaves nothing behind', async () => {
    const limiter = await open(
      server.port,
      { clock: () => 0, log: createLogger('silent') },
      { ...patient, key_prefix: 'full:' },
    );
    await limiter.take([bucket]);
    expect(await direct.pttl('full:{tenant%20a}:tenant a')).toBeGreaterThan(1500);
    expect(await direct.pttl('full:{tenant%20a}:tenant a')).toBeLessThanOrEqual(2000);
    await limiter.close();
  });

  test('scripts that Redis has forgotten are sent again', async () => {
    const limiter = await open(server.port, { clock: () => 0, log: createLogger('silent') }, patient);
    for (let count = 0; count < 3; count++) {
      expect(await limiter.take([bucket])).toMatchObject({ admitted: true });
      await direct.script('FLUSH');
    }
    expect(await limiter.take([bucket])).toMatchObject({ admitted: false });
    await limiter.close();
  });

  test('while Redis is slow or away each replica counts for itself, and no caller waits; then together again', async () => {
    const own = await startRedis();
    const limiter = await open(
      own.port,
      { clock: () => 0, log: createLogger('silent') },
      { timeout_ms: 50, retry_ms: 50, key_prefix: 'away:' },
    );
    const timed = async () => {
      const startedAt = performance.now();
      const verdict = await limiter.take([bucket]);
      expect(performance.now() - startedAt).toBeLessThan(stretched(700));
      return verdict.admitted;
    };
    expect(await timed()).toBe(true);
    const pausing = new Redis(own.port, '127.0.0.1');
    await pausing.call('CLIENT', 'PAUSE', '900', 'ALL');
    expect([await timed(), await timed(), await timed(), await timed()]).toEqual([true, true, true, false]);
    pausing.disconnect();
    await own.kill();
    expect(await timed()).toBe(false);
    await using again = await startRedis(own.port);
    const other = new Redis(again.port, '127.0.0.1');
    await expect
      .poll(async () => (await timed()) && other.exists('away:{tenant%20a}:tenant a'), { timeout: 5000 })
      .toBe(1);
    other.disconnect();
    await limiter.close();
    await own[Symbol.asyncDispose]();
  });
});
