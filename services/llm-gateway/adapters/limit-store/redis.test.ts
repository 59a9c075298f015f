import { Code, ConnectError } from '@connectrpc/connect';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { createLogger } from '#kit/base/log.ts';
import { createMetrics } from '#kit/base/metrics/metrics.ts';
import { createFromAdapter } from '#kit/host/config/adapters.ts';
import { hasRedis, redisAdvice, startRedis } from '#kit/testing/redis.ts';
import { freePort, skipped, type TestServer } from '#kit/testing/server.ts';
import { stretched } from '#kit/testing/time.ts';
import type { LimitStore, LimitStoreDeps } from '../../limits/limit-store.ts';
import { demandOf, limitStoreSuite, noon } from '../../suites/limit-store.suite.ts';

const used = { tokens: 0, costMicros: 0 };
let prefixes = 0;

const open = async (port: number, settings: object = {}, clock: () => number = () => noon) => {
  const metrics = createMetrics();
  const store = await createFromAdapter<LimitStore, LimitStoreDeps>(
    new URL('./', import.meta.url),
    'redis',
    { url: `redis://127.0.0.1:${port}`, key_prefix: `test${++prefixes}:`, ...settings },
    { clock, random: Math.random, log: createLogger('silent'), metrics },
    'llm_gateway.limits.store',
  );
  onTestFinished(() => store.close());
  return store;
};
const eventually = (check: () => unknown) => expect.poll(check, { timeout: 5000, interval: 20 });

describe.skipIf(!hasRedis && skipped('redis', 18, redisAdvice))('a real Redis', () => {
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

  // A slow machine must not fall back: that is for the tests of faults. Nor do leases end while a test moves its clock.
  const patient = { timeout_ms: 5000 };
  limitStoreSuite('redis', (clock) => open(server.port, { ...patient, lease_ms: 3_600_000 }, clock), 10);

  test('counts as the memory does, whatever happens in whatever order', async () => {
    const limits = {
      requestsPerMinute: 6,
      tokensPerMinute: 100,
      costMicrosPerDay: 90,
      costMicrosPerMonth: 150,
      maxConcurrent: 3,
    };
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('reserve' as const),
        id: fc.integer({ min: 0, max: 200 }),
        tokens: fc.integer({ min: 0, max: 60 }),
        costMicros: fc.integer({ min: 0, max: 100 }),
        pauseMs: fc.oneof(fc.integer({ min: 0, max: 20_000 }), fc.integer({ min: 0, max: 20_000_000 })),
      }),
      fc.record({
        kind: fc.constant('settle' as const),
        which: fc.nat(),
        used: fc.option(fc.record({ tokens: fc.nat(120), costMicros: fc.nat(120) }), { nil: undefined }),
      }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const time = { now: noon };
        const redis = await open(server.port, { ...patient, lease_ms: 3_600_000 }, () => time.now);
        const memory = await createFromAdapter<LimitStore, LimitStoreDeps>(
          new URL('./', import.meta.url),
          'memory',
          {},
          { clock: () => time.now, random: Math.random, log: createLogger('silent'), metrics: createMetrics() },
          'llm_gateway.limits.store',
        );
        const running: string[] = [];
        for (const [index, each] of steps.entries()) {
          if (each.kind === 'reserve') {
            // Leases are no part of the memory.
            time.now += running.length > 0 ? Math.min(each.pauseMs, 60_000) : each.pauseMs;
            const demand = demandOf(`${index}`, limits, { tokens: each.tokens, costMicros: each.costMicros });
            const decision = await redis.reserve(demand);
            expect(decision).toEqual(await memory.reserve(demand));
            if (decision.admitted) running.push(demand.id);
          } else if (running.length > 0) {
            const [id] = running.splice(each.which % running.length, 1);
            await Promise.all([redis.settle(id as string, each.used), memory.settle(id as string, each.used)]);
          }
        }
        await redis.close();
      }),
      { numRuns: 25 },
    );
  });

  test('two processes count together: of many concurrent requests exactly the limit is admitted', async () => {
    for (let round = 0; round < 5; round++) {
      const settings = { ...patient, key_prefix: `together${round}:` };
      const stores = [await open(server.port, settings), await open(server.port, settings)];
      const limits = { requestsPerMinute: 25, maxConcurrent: 40 };
      const decisions = await Promise.all(
        Array.from({ length: 100 }, (_, index) =>
          (stores[index % 2] as LimitStore).reserve(demandOf(`${index}`, limits)),
        ),
      );
      expect(decisions.filter(({ admitted }) => admitted)).toHaveLength(25);
    }
  });

  test('the reservations of a process that died come back when their lease ends; those of a living one stay', async () => {
    const time = { now: noon };
    const settings = { ...patient, key_prefix: 'leases:', lease_ms: 60_000 };
    const limits = { maxConcurrent: 2, costMicrosPerDay: 100 };
    const alive = await open(server.port, settings, () => time.now);
    // What a process leaves that never settles: its own connection and clock, and no renewal.
    const dead = await open(server.port, settings, () => time.now);
    expect(await dead.reserve(demandOf('dead', limits, { costMicros: 90 }))).toMatchObject({ admitted: true });
    expect(await alive.reserve(demandOf('a', limits, { costMicros: 5 }))).toMatchObject({ admitted: true });
    expect(await alive.reserve(demandOf('b', limits))).toMatchObject({ kind: 'maxConcurrent' });
    time.now += 60_001;
    await direct.zadd('leases:{acme}:tenant:leases', 'XX', time.now + 60_000, 'a');
    expect(await alive.reserve(demandOf('b', limits, { costMicros: 95 }))).toMatchObject({ admitted: true });
    expect(await alive.reserve(demandOf('c', limits))).toMatchObject({ kind: 'maxConcurrent' });
    // A settlement that comes after the lease has ended changes nothing any more.
    await dead.settle('dead', { tokens: 0, costMicros: 90 });
    await alive.settle('a', { tokens: 0, costMicros: 5 });
    expect(await alive.reserve(demandOf('c', limits, { costMicros: 1 }))).toMatchObject({ kind: 'costMicrosPerDay' });
  });

  test('a lease is renewed for as long as the request runs', async () => {
    const settings = { ...patient, key_prefix: 'renewed:', lease_ms: 300 };
    const store = await open(server.port, settings, Date.now);
    const limits = { maxConcurrent: 1 };
    await store.reserve(demandOf('a', limits));
    const first = Number(await direct.zscore('renewed:{acme}:tenant:leases', 'a'));
    await eventually(async () => Number(await direct.zscore('renewed:{acme}:tenant:leases', 'a'))).toBeGreaterThan(
      first + 300,
    );
    expect(await store.reserve(demandOf('b', limits))).toMatchObject({ admitted: false });
  });

  test('scripts that Redis has forgotten are sent again', async () => {
    const store = await open(server.port, patient);
    const limits = { requestsPerMinute: 3 };
    expect(await store.reserve(demandOf('a', limits))).toMatchObject({ admitted: true });
    await store.settle('a', used);
    await direct.script('FLUSH');
    expect(await store.reserve(demandOf('b', limits))).toMatchObject({ admitted: true });
    await direct.script('FLUSH');
    await store.settle('b', undefined);
    expect(await store.reserve(demandOf('c', limits))).toMatchObject({ admitted: true });
    expect(await store.reserve(demandOf('d', limits))).toMatchObject({ admitted: true });
    expect(await store.reserve(demandOf('e', limits))).toMatchObject({ admitted: false });
  });

  test('leaves no key behind that nothing is in', async () => {
    const store = await open(server.port, { ...patient, key_prefix: 'clean:' });
    await store.reserve(demandOf('a', { maxConcurrent: 1 }));
    expect(await direct.keys('clean:*')).toHaveLength(2);
    await store.settle('a', used);
    expect(await direct.keys('clean:*')).toEqual([]);
    await store.reserve(demandOf('b', { requestsPerMinute: 5, costMicrosPerDay: 9 }));
    for (const key of await direct.keys('clean:*')) expect(await direct.pttl(key)).toBeGreaterThan(0);
  });
});

describe.skipIf(!hasRedis && skipped('redis', 6, redisAdvice))('a Redis in trouble', () => {
  const settings = { timeout_ms: 100, retry_ms: 50, lease_ms: 600 };
  const limits = { requestsPerMinute: 3, costMicrosPerDay: 100, maxConcurrent: 10 };
  /** Longest time that a request may take at the store, whatever Redis does: the timeout, and room for a slow machine. */
  const bearableMs = 700;
  const timed = async <T>(work: () => Promise<T>): Promise<T> => {
    const startedAt = performance.now();
    const result = await work();
    expect(performance.now() - startedAt).toBeLessThan(stretched(bearableMs));
    return result;
  };

  test('that stops: the process continues with its own counters, and Redis receives them later', async () => {
    const server = await startRedis();
    const store = await open(server.port, { ...settings, key_prefix: 'stop:' });
    expect(await store.reserve(demandOf('a', limits, { costMicros: 40 }))).toMatchObject({ admitted: true });
    await server.kill();
    expect(await timed(() => store.reserve(demandOf('b', limits, { costMicros: 30 })))).toMatchObject({
      admitted: true,
    });
    expect(await timed(() => store.reserve(demandOf('c', limits, { costMicros: 31 })))).toMatchObject({
      kind: 'costMicrosPerDay',
    });
    expect(await timed(() => store.reserve(demandOf('d', limits)))).toMatchObject({ admitted: true });
    expect(await timed(() => store.reserve(demandOf('e', limits)))).toMatchObject({ kind: 'requestsPerMinute' });
    await timed(() => store.settle('b', { tokens: 0, costMicros: 25 }));
    await timed(() => store.settle('d', undefined));
    await using again = await startRedis(server.port);
    const direct = new Redis(again.port, '127.0.0.1');
    await eventually(() => direct.hget('stop:{acme}:tenant:money', 'dayMicros')).toBe('65');
    await eventually(() => direct.hget('stop:{acme}:tenant:money', 'held')).toBe('40');
    expect(await direct.hvals('stop:{acme}:tenant:minute')).toEqual(['2']);
    await store.settle('a', { tokens: 0, costMicros: 1 });
    expect(await direct.hmget('stop:{acme}:tenant:money', 'dayMicros', 'held')).toEqual(['26', '0']);
    direct.disconnect();
    await server[Symbol.asyncDispose]();
  });

  test('that answers late: no request waits for it, and late reservations are undone', async () => {
    await using server = await startRedis();
    const store = await open(server.port, { ...settings, key_prefix: 'late:' });
    const direct = new Redis(server.port, '127.0.0.1');
    expect(await store.reserve(demandOf('a', limits))).toMatchObject({ admitted: true });
    await direct.call('CLIENT', 'PAUSE', '900', 'ALL');
    const [b, c] = await Promise.all([
      timed(() => store.reserve(demandOf('b', limits))),
      timed(() => store.reserve(demandOf('c', limits))),
    ]);
    expect([b, c]).toMatchObject([{ admitted: true }, { admitted: true }]);
    expect(await timed(() => store.reserve(demandOf('d', limits)))).toMatchObject({ kind: 'requestsPerMinute' });
    await store.settle('b', used);
    await store.settle('c', undefined);
    await eventually(() => direct.hkeys('late:{acme}:tenant:holds')).toEqual(['a']);
    await eventually(() => direct.hvals('late:{acme}:tenant:minute')).toEqual(['2']);
    direct.disconnect();
  });

  test('that hangs in a script: no request waits for it', async () => {
    await using server = await startRedis();
    const store = await open(server.port, settings);
    const direct = new Redis(server.port, '127.0.0.1');
    const busy = direct.call('DEBUG', 'SLEEP', '0.9').catch(() => undefined);
    const decisions = await Promise.all(
      Array.from({ length: 50 }, (_, index) => timed(() => store.reserve(demandOf(`${index}`, limits)))),
    );
    expect(decisions.filter(({ admitted }) => admitted)).toHaveLength(3);
    await busy;
    direct.disconnect();
  });

  test('that returns empty: running requests are reserved again, and settled there', async () => {
    const server = await startRedis();
    const store = await open(server.port, { ...settings, key_prefix: 'back:' });
    await store.reserve(demandOf('a', limits, { costMicros: 40 }));
    await server.kill();
    await timed(() => store.reserve(demandOf('b', limits, { costMicros: 20 })));
    await using again = await startRedis(server.port);
    const direct = new Redis(again.port, '127.0.0.1');
    await eventually(() => direct.hmget('back:{acme}:tenant:money', 'dayMicros', 'held')).toEqual(['60', '60']);
    expect(await direct.zcard('back:{acme}:tenant:leases')).toBe(2);
    await Promise.all(['a', 'b'].map((id) => store.settle(id, { tokens: 0, costMicros: 15 })));
    expect(await direct.hmget('back:{acme}:tenant:money', 'dayMicros', 'held')).toEqual(['30', '0']);
    direct.disconnect();
    await server[Symbol.asyncDispose]();
  });

  test('that is not there at the start: the gateway starts without, and uses it when it comes', async () => {
    const port = await freePort();
    const store = await open(port, settings);
    expect(await timed(() => store.reserve(demandOf('a', limits)))).toMatchObject({ admitted: true });
    await using server = await startRedis(port);
    const direct = new Redis(server.port, '127.0.0.1');
    await eventually(async () => {
      await store.reserve(demandOf(`${Math.random()}`, { maxConcurrent: 100_000 }));
      return (await direct.dbsize()) > 0;
    }).toBe(true);
    direct.disconnect();
  });

  test('refuses requests in the meantime if it is configured so', async () => {
    const server = await startRedis();
    const store = await open(server.port, { ...settings, fail_open: false });
    await store.reserve(demandOf('a', limits));
    await server.kill();
    for (const id of ['b', 'c']) {
      const error = await timed(() => store.reserve(demandOf(id, limits)).catch(ConnectError.from));
      expect(error).toMatchObject({ code: Code.Unavailable });
    }
    await timed(() => store.settle('a', used));
    await server[Symbol.asyncDispose]();
  });
});
