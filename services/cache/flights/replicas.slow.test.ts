import { type ChildProcess, fork } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { CacheService } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import { CacheLayer } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { startTestMesh, type TestMesh } from '#kit/testing/mesh.ts';
import { hasRedis, redisAdvice, startRedis } from '#kit/testing/redis.ts';
import { skipped, type TestServer } from '#kit/testing/server.ts';
import { stretched } from '#kit/testing/time.ts';
import { cache } from '../index.ts';
import { type Asked, ask } from '../testing/asking.ts';
import { answerEvents, fillWith, lookUp, scopeOf } from '../testing/cache.ts';
import type { ReplicaOrder, ReplicaReport } from '../testing/replica-process.ts';

// Replicas of the cache over one Redis.

let prefixes = 0;
const newPrefix = () => `test${++prefixes}:`;
const eventually = <T>(check: () => T) => expect.poll(check, { timeout: 10_000, interval: 10 });

describe.skipIf(!hasRedis && skipped('redis', 8, redisAdvice))('replicas over one Redis', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  async function startReplicas(count: number, settings: object = {}, clock = Date.now): Promise<TestMesh[]> {
    const url = `redis://127.0.0.1:${server.port}`;
    const key_prefix = newPrefix();
    const config = {
      cache: {
        durableStore: { adapter: 'redis', settings: { url, key_prefix } },
        // A busy machine must not lose a lease, nor continue without Redis.
        flightStore: { adapter: 'redis', settings: { url, key_prefix, lease_ms: 10_000 } },
        durableTimeoutMs: 10_000,
        ...settings,
      },
    };
    const meshes = await Promise.all(Array.from({ length: count }, () => startTestMesh([cache], { config, clock })));
    onTestFinished(async () => {
      await Promise.all(meshes.map((mesh) => mesh.close()));
    });
    return meshes;
  }
  const clientsOf = (meshes: readonly TestMesh[]) =>
    Promise.all(meshes.map(async (mesh) => ({ client: mesh.client(CacheService), options: await mesh.as() })));
  type Replica = Awaited<ReturnType<typeof clientsOf>>[number];

  test('a thousand callers of one new question on three replicas: one generation, and one text for all', async () => {
    const replicas = await clientsOf(await startReplicas(3));
    const answer = `${'Seven days. '.repeat(4)}[1]`;
    let generationCount = 0;
    let begunAt = 0;
    const generating = {
      ...{ answer, pauseMs: 2 },
      onBegin: () => {
        generationCount++;
      },
      onPiece: () => {
        begunAt ||= performance.now();
      },
    };
    const asked = await Promise.all(
      Array.from({ length: 1000 }, (_, index) => {
        const { client, options } = replicas[index % 3] as Replica;
        return ask(client, options, 'a thousand at once', generating);
      }),
    );
    expect(generationCount).toBe(1);
    expect(begunAt).toBeGreaterThan(0);
    expect(asked.filter(({ text, isWhole }) => isWhole && text === answer)).toHaveLength(1000);
    expect(asked.some(({ resetCount }) => resetCount > 0)).toBe(false);
    // 5 ms on the leader's replica and 20 ms on the others, on an idle machine.
    expect(Math.max(...asked.map(({ firstTextAt }) => firstTextAt)) - begunAt).toBeLessThan(stretched(1000));
  });

  test('an answer that was stored on one replica is a hit on the others: durable first, then in memory', async () => {
    const [one, two] = (await clientsOf(await startReplicas(2))) as [Replica, Replica];
    const { leaseId = '' } = await lookUp(one.client, one.options, 'shared');
    expect(await fillWith(one.client, one.options, leaseId, answerEvents('shared [1]'))).toBe(true);
    const layers = [await lookUp(two.client, two.options, 'shared'), await lookUp(two.client, two.options, 'shared')];
    expect(layers.map(({ layer }) => layer)).toEqual([CacheLayer.DURABLE, CacheLayer.MEMORY]);
    expect(layers.map(({ text }) => text)).toEqual(['shared [1]', 'shared [1]']);
  });

  test('a lease is filled on another replica than the one that gave it', async () => {
    const [one, two] = (await clientsOf(await startReplicas(2))) as [Replica, Replica];
    const { leaseId = '' } = await lookUp(one.client, one.options, 'elsewhere');
    const following = lookUp(one.client, one.options, 'elsewhere');
    expect(await fillWith(two.client, two.options, leaseId, answerEvents('there [1]'))).toBe(true);
    expect(await following).toMatchObject({ text: 'there [1]', leaseId: undefined });
    expect((await lookUp(one.client, one.options, 'elsewhere')).kinds[0]).toBe('hit');
  });

  test('what one replica invalidates, no replica serves, nor what was being generated', async () => {
    const [one, two] = (await clientsOf(await startReplicas(2))) as [Replica, Replica];
    const store = async (question: string) => {
      const { leaseId = '' } = await lookUp(one.client, one.options, question);
      await fillWith(one.client, one.options, leaseId, answerEvents('old [1]', { documentId: 'd5' }));
    };
    await store('gone');
    expect((await lookUp(two.client, two.options, 'gone')).kinds[0]).toBe('hit');
    const { leaseId = '' } = await lookUp(two.client, two.options, 'under way');
    await one.client.invalidate({ target: { case: 'documentId', value: 'd5' } }, one.options);
    expect((await lookUp(one.client, one.options, 'gone')).kinds).toEqual(['lease']);
    // Memory elsewhere hears of it by a message.
    await eventually(async () => (await two.client.getStats({}, two.options)).layers[0]?.entryCount).toBe(0n);
    expect(await fillWith(two.client, two.options, leaseId, answerEvents('late [1]', { documentId: 'd5' }))).toBe(
      false,
    );
    expect((await lookUp(one.client, one.options, 'under way')).kinds).toEqual(['lease']);
  });

  test('an answer that was generated again replaces the old one in every memory', async () => {
    const [one, two] = (await clientsOf(await startReplicas(2))) as [Replica, Replica];
    const fill = async (text: string, refresh: boolean) => {
      const { leaseId = '' } = await lookUp(one.client, one.options, 'anew', scopeOf(), refresh);
      await fillWith(one.client, one.options, leaseId, answerEvents(text));
    };
    await fill('old [1]', false);
    for (let round = 0; round < 2; round++) await lookUp(two.client, two.options, 'anew');
    await fill('new [1]', true);
    await eventually(async () => (await lookUp(two.client, two.options, 'anew')).text).toBe('new [1]');
  });

  test('a stale answer is generated again by one caller on one replica; all others get the old one', async () => {
    let nowMs = Date.now();
    const clock = () => nowMs;
    const replicas = await clientsOf(await startReplicas(2, { ttlSeconds: 60 }, clock));
    const [one, two] = replicas as [Replica, Replica];
    const first = await lookUp(one.client, one.options, 'aged');
    await fillWith(one.client, one.options, first.leaseId ?? '', answerEvents('old [1]'));
    await lookUp(two.client, two.options, 'aged');
    nowMs += 61_000;
    const looked = await Promise.all(
      Array.from({ length: 40 }, (_, index) => {
        const { client, options } = replicas[index % 2] as Replica;
        return lookUp(client, options, 'aged');
      }),
    );
    const leads = looked.filter(({ leaseId }) => leaseId !== undefined);
    expect(leads).toHaveLength(1);
    expect(looked.filter(({ text }) => text === 'old [1]')).toHaveLength(39);
    await fillWith(two.client, two.options, leads[0]?.leaseId ?? '', answerEvents('new [1]'));
    for (const { client, options } of replicas) expect((await lookUp(client, options, 'aged')).text).toBe('new [1]');
  });

  test('the leader is killed in the middle: one whole answer for all the others, by two generations at most', async () => {
    const url = `redis://127.0.0.1:${server.port}`;
    const prefix = newPrefix();
    const answer = `${'Seven days after delivery. '.repeat(6)}[1]`;
    const order: ReplicaOrder = { question: 'killed', callerCount: 30, answer, pauseMs: 10 };
    const replicas = await Promise.all(Array.from({ length: 3 }, () => startProcess(url, prefix)));
    let generationCount = 0;
    let killedAt = 0;
    let takenOverAt = 0;
    const killed = new Promise<Replica3>((resolve) => {
      for (const replica of replicas) {
        replica.child.on('message', (report: ReplicaReport) => {
          if (report.kind === 'generating') {
            generationCount++;
            if (killedAt > 0) takenOverAt = performance.now();
          }
          if (report.kind !== 'piece' || report.count !== 40 || killedAt > 0) return;
          killedAt = performance.now();
          replica.child.kill('SIGKILL');
          resolve(replica);
        });
      }
    });
    for (const { child } of replicas) child.send(order);
    const leader = await killed;
    const survivors = replicas.filter((replica) => replica !== leader);
    const asked = (await Promise.all(survivors.map((replica) => replica.asked))).flat();
    expect(asked).toHaveLength(60);
    expect(asked.filter(({ text, isWhole }) => isWhole && text === answer)).toHaveLength(60);
    // The same text again: no follower had to reset what was shown.
    expect(asked.filter(({ resetCount }) => resetCount > 0)).toEqual([]);
    expect(generationCount).toBe(2);
    expect(takenOverAt - killedAt).toBeLessThan(stretched(3000));
  });
});

interface Replica3 {
  child: ChildProcess;
  asked: Promise<Asked[]>;
}

async function startProcess(url: string, prefix: string): Promise<Replica3> {
  const child = fork(new URL('../testing/replica-process.ts', import.meta.url), [url, prefix], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    execArgv: [],
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  const ready = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<Asked[]>();
  child.on('message', (report: ReplicaReport) => {
    if (report.kind === 'ready') ready.resolve();
    if (report.kind === 'asked') asked.resolve(report.asked);
  });
  await ready.promise;
  return { child, asked: asked.promise };
}
