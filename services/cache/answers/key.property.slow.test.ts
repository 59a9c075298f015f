import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { startTestMesh, type TestMesh } from '#kit/testing/mesh.ts';
import { hasRedis, redisAdvice, startRedis } from '#kit/testing/redis.ts';
import { skipped } from '#kit/testing/server.ts';
import { cache } from '../index.ts';
import { operation, runOperations } from '../suites/operations.suite.ts';

describe.each([
  ['memory', {}],
  ['the disk, where memory holds next to nothing', { memoryBytes: 2000n }],
  ['the disk alone', { memoryBytes: 0n }],
  ['both, where neither holds much', { memoryBytes: 2000n, durableBytes: 6000n }],
])('answered from %s', (_name, config) => {
  let mesh: TestMesh;
  beforeAll(async () => {
    mesh = await startTestMesh([cache], { config: { cache: config } });
  });
  afterAll(() => mesh.close());

  test('no answer crosses an identity, and none outlives what it was made from', async () => {
    let runCount = 0;
    let hitCount = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 20, maxLength: 40 }), async (steps) => {
        hitCount += await runOperations([mesh], `run${++runCount}`, steps);
      }),
      { numRuns: 12 },
    );
    expect(hitCount).toBeGreaterThan(5);
  });
});

test.skipIf(!hasRedis && skipped('redis', 1, redisAdvice))(
  'in 10,000 random steps of 20 principals of 5 tenants on 2 replicas over one Redis, no answer is wrong',
  { timeout: 120_000 },
  async () => {
    await using server = await startRedis();
    const settings = { url: `redis://127.0.0.1:${server.port}` };
    const config = {
      cache: {
        durableStore: { adapter: 'redis', settings },
        flightStore: { adapter: 'redis', settings: { ...settings, lease_ms: 10_000 } },
        durableTimeoutMs: 5000,
      },
    };
    const replicas = [await startTestMesh([cache], { config }), await startTestMesh([cache], { config })];
    onTestFinished(async () => {
      await Promise.all(replicas.map((replica) => replica.close()));
    });
    const seed = Math.floor(Math.random() * 2 ** 31);
    const steps = fc.sample(operation, { numRuns: 10_000, seed });
    const hitCount = await runOperations(replicas, 'many', steps).catch((cause: unknown) => {
      throw new Error(`with the seed ${seed}`, { cause });
    });
    expect(hitCount).toBeGreaterThan(1000);
  },
);
