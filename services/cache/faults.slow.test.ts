import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CacheService } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import { startTestMesh, type TestMesh } from '#kit/testing/mesh.ts';
import { hasRedis, redisAdvice, startRedis } from '#kit/testing/redis.ts';
import { skipped, type TestServer } from '#kit/testing/server.ts';
import { stretched } from '#kit/testing/time.ts';
import { cache } from './index.ts';
import { ask } from './testing/asking.ts';
import { lookUp } from './testing/cache.ts';

// Look-ups while Redis fails in several ways: each is answered in time and correctly.

describe.skipIf(!hasRedis && skipped('redis', 6, redisAdvice))('a Redis that fails', () => {
  let server: TestServer;
  let direct: Redis;
  let replicas: TestMesh[];
  let startedCount = 0;
  beforeEach(async () => {
    server = await startRedis(undefined, ['--enable-debug-command', 'local']);
    direct = new Redis(server.port, '127.0.0.1', { retryStrategy: () => 50 });
    direct.on('error', () => {});
    replicas = [await startReplica(), await startReplica()];
    startedCount = 0;
  });
  afterEach(async () => {
    await Promise.all(replicas.map((replica) => replica.close()));
    direct.disconnect();
    await server[Symbol.asyncDispose]();
  });

  function startReplica() {
    const settings = { url: `redis://127.0.0.1:${server.port}` };
    return startTestMesh([cache], { config: { cache: { durableStore: { adapter: 'redis', settings } } } });
  }

  /** Asks `count` questions concurrently; each must have its own answer within `limitMs`. Returns how many were generated. */
  async function askMany(replica: TestMesh, count: number, limitMs = 2000, topic = 'topic'): Promise<number> {
    const client = replica.client(CacheService);
    const options = await replica.as(undefined, { timeoutMs: 5000 });
    let generatedCount = 0;
    const onBegin = () => {
      generatedCount++;
    };
    await Promise.all(
      Array.from({ length: count }, async (_, index) => {
        const startedAt = performance.now();
        const answer = `${topic} ${index} [1]`;
        const { text, isWhole } = await ask(client, options, `what of ${topic} ${index}`, {
          ...{ answer, pauseMs: 0, onBegin },
        });
        expect({ text, isWhole }).toEqual({ text: answer, isWhole: true });
        expect(performance.now() - startedAt).toBeLessThan(stretched(limitMs));
      }),
    );
    startedCount += generatedCount;
    return generatedCount;
  }
  const eventually = <T>(check: () => Promise<T>) => expect.poll(check, { timeout: 15_000, interval: 100 });
  const [first, second] = [() => replicas[0] as TestMesh, () => replicas[1] as TestMesh];

  test('stopped: look-ups continue with memory, and without; restarted: it is used again', async () => {
    expect(await askMany(first(), 20)).toBe(20);
    await eventually(() => askMany(second(), 20)).toBe(0);
    await server.kill();
    expect(await askMany(first(), 20)).toBe(0);
    for (let round = 0; round < 3; round++) expect(await askMany(first(), 20, 2000, `away ${round}`)).toBe(20);
    const client = first().client(CacheService);
    const error = await client.invalidate({ target: { case: 'all', value: true } }, await first().as()).catch((e) => e);
    expect(error).toMatchObject({ code: 14 });
    expect((await client.getStats({}, await first().as())).layers).toHaveLength(1);

    await using back = await startRedis(server.port);
    expect(back.port).toBe(server.port);
    let round = 0;
    await eventually(async () => {
      const topic = `back ${++round}`;
      await askMany(first(), 3, 2000, topic);
      return askMany(second(), 3, 2000, topic);
    }).toBe(0);
  });

  test('slowed to two seconds: no look-up waits for it', async () => {
    await askMany(first(), 10);
    await direct.call('CLIENT', 'PAUSE', '2000', 'ALL');
    expect(await askMany(first(), 10, 1000)).toBe(0);
    expect(await askMany(first(), 30, 1000, 'slow')).toBe(30);
    expect(await askMany(second(), 10, 1000)).toBe(10);
    await eventually(async () => (await direct.ping()) === 'PONG').toBe(true);
    await eventually(() => askMany(second(), 10)).toBe(0);
  });

  test('held up by a command of two seconds: no look-up waits for it', async () => {
    await askMany(first(), 10);
    const holding = direct.call('DEBUG', 'SLEEP', '2');
    expect(await askMany(first(), 10, 1000)).toBe(0);
    expect(await askMany(second(), 10, 1000, 'held up')).toBe(10);
    expect(await holding).toBe('OK');
  });

  test('full: what is there is found, what is new is kept in memory, and an invalidation still takes effect', async () => {
    expect(await askMany(first(), 5)).toBe(5);
    await direct.config('SET', 'maxmemory', '1mb', 'maxmemory-policy', 'noeviction');
    await eventually(() => askMany(second(), 5)).toBe(0);
    expect(await askMany(first(), 20, 2000, 'full')).toBe(20);
    expect(await askMany(first(), 20, 2000, 'full')).toBe(0);
    const client = first().client(CacheService);
    await client.invalidate({ target: { case: 'documentId', value: 'd1' } }, await first().as());
    for (const replica of replicas) {
      const { kinds } = await lookUp(replica.client(CacheService), await replica.as(), 'what of topic 1');
      expect(kinds).toEqual(['lease']);
    }
    await direct.config('SET', 'maxmemory', '0');
    await eventually(async () => {
      await askMany(first(), 5, 2000, 'roomy');
      return askMany(second(), 5, 2000, 'roomy');
    }).toBe(0);
  });

  test('a value that was changed by hand is a miss, dropped and counted', async () => {
    await askMany(first(), 5);
    // What has just been generated could still be followed.
    await direct.del(await direct.keys('*:f:*'));
    const keys = await direct.keys('*:a:*');
    expect(keys).toHaveLength(5);
    for (const key of keys) {
      const bytes = (await direct.getBuffer(key)) as Buffer;
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 0x20;
      await direct.set(key, bytes);
    }
    expect(await askMany(second(), 5)).toBe(5);
    const stats = await second()
      .client(CacheService)
      .getStats({}, await second().as());
    expect(stats.corruptCount).toBe(5n);
    const metrics = await fetch(`http://127.0.0.1:${second().host.adminPort}/metrics`);
    expect(await metrics.text()).toContain('ai_cache_corrupt_total 5');
  });

  test('emptied behind the back of the replicas: what was invalidated stays so', async () => {
    await askMany(first(), 5);
    await askMany(second(), 5);
    const client = first().client(CacheService);
    await client.invalidate({ target: { case: 'documentId', value: 'd1' } }, await first().as());
    await direct.flushall();
    expect(await askMany(second(), 5)).toBe(5);
    expect(startedCount).toBe(10);
  });
});
