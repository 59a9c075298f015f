import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { createFromAdapter } from '#kit/host/config/adapters.ts';
import { hasRedis, redisAdvice, startRedis } from '#kit/testing/redis.ts';
import { skipped, startTestServer, type TestServer } from '#kit/testing/server.ts';
import type { AnswerStore, AnswerStoreDeps } from '../../../answers/answer-store.ts';
import type { FlightStore, FlightStoreDeps } from '../../../flights/flight-store.ts';
import { answerOf, answerStoreSuite, keyOf } from '../../../suites/answer-store.suite.ts';
import { flightStoreSuite } from '../../../suites/flight-store.suite.ts';
import { storeDeps } from '../../../testing/cache.ts';

// The stores over a Redis Cluster of three masters, and over a master that Sentinel watches.

let prefixes = 0;
const eventually = <T>(check: () => T) => expect.poll(check, { timeout: 30_000, interval: 100 });
/** In hooks, where expect.poll does not work. */
const until = (check: () => Promise<boolean>) =>
  vi.waitFor(async () => expect(await check()).toBe(true), { timeout: 30_000, interval: 100 });
const adapters = (port: string) => new URL(`../${port}/`, import.meta.url);

const openAnswers = (settings: object, deps: Partial<AnswerStoreDeps>) =>
  createFromAdapter<AnswerStore, AnswerStoreDeps>(
    adapters('answer-store'),
    'redis',
    { ...settings, key_prefix: `test${++prefixes}:` },
    storeDeps(deps),
    'cache.durable_store',
  );

function suites(name: string, settings: () => object): void {
  answerStoreSuite(
    name,
    async (maxBytes) => {
      let nowMs = 1_000_000;
      const store = await openAnswers(settings(), { maxBytes, clock: () => nowMs });
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
    const given = { ...settings(), key_prefix: `test${++prefixes}:`, lease_ms: 5000 };
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
}

describe.skipIf(!hasRedis && skipped('redis', 60, redisAdvice))('a Redis Cluster', () => {
  let nodes: TestServer[];
  beforeAll(async () => {
    nodes = await Promise.all([0, 1, 2].map(() => startRedis(undefined, ['--cluster-enabled', 'yes'])));
    const clients = nodes.map(({ port }) => new Redis(port, '127.0.0.1'));
    const slots = 16_384;
    for (const [index, client] of clients.entries()) {
      const [from, before] = [index, index + 1].map((share) => Math.floor((slots * share) / clients.length));
      await client.call('CLUSTER', 'ADDSLOTSRANGE', String(from), String((before as number) - 1));
      for (const { port } of nodes) await client.call('CLUSTER', 'MEET', '127.0.0.1', String(port));
    }
    const isUp = async () => {
      const states = await Promise.all(clients.map((client) => client.cluster('INFO')));
      return states.every((state) => /cluster_state:ok/.test(state) && /cluster_known_nodes:3/.test(state));
    };
    await until(isUp);
    for (const client of clients) client.disconnect();
  }, 60_000);
  afterAll(async () => {
    for (const node of nodes) await node[Symbol.asyncDispose]();
  });
  const settings = () => ({ cluster_nodes: nodes.map(({ port }) => `127.0.0.1:${port}`).join(',') });

  suites('redis cluster', settings);

  test('tenants are spread over the nodes, and what one replica invalidates the others hear of', async () => {
    const heard: string[] = [];
    const listener = { epoch() {}, invalidated: (tenant: string) => void heard.push(tenant), attached() {} };
    const one = await openAnswers(settings(), {});
    prefixes--;
    const other = await openAnswers(settings(), { listener });
    onTestFinished(async () => {
      await one.close();
      await other.close();
    });
    const tenants = Array.from({ length: 12 }, (_, index) => `tenant-${index}`);
    for (const tenant of tenants) await one.put(answerOf({ tenant }));
    for (const tenant of tenants) expect(await other.get(tenant, keyOf(1))).toBeDefined();
    for (const tenant of tenants) await one.invalidate(tenant, { kind: 'label', label: 'document:d1' });
    for (const tenant of tenants) expect(await other.get(tenant, keyOf(1))).toBeUndefined();
    await eventually(() => new Set(heard).size).toBe(tenants.length);
  });
});

describe.skipIf(!hasRedis && skipped('redis', 60, redisAdvice))('a Redis behind Sentinel', () => {
  let master: TestServer;
  let replica: TestServer;
  let sentinel: TestServer;
  beforeAll(async () => {
    master = await startRedis();
    replica = await startRedis(undefined, ['--replicaof', '127.0.0.1', String(master.port)]);
    sentinel = await startTestServer({
      command: 'redis-server',
      args(port, folder) {
        const path = join(folder, 'sentinel.conf');
        const lines = [
          `port ${port}`,
          `dir ${folder}`,
          `sentinel monitor shop 127.0.0.1 ${master.port} 1`,
          'sentinel down-after-milliseconds shop 500',
          'sentinel failover-timeout shop 3000',
        ];
        writeFileSync(path, lines.join('\n'));
        return [path, '--sentinel'];
      },
    });
    const asked = new Redis(sentinel.port, '127.0.0.1');
    await until(async () => ((await asked.call('SENTINEL', 'REPLICAS', 'shop')) as unknown[]).length === 1);
    asked.disconnect();
  }, 60_000);
  afterAll(async () => {
    for (const server of [sentinel, replica, master]) await server[Symbol.asyncDispose]();
  });
  const settings = () => ({ sentinels: `127.0.0.1:${sentinel.port}`, sentinel_master: 'shop' });

  suites('redis behind sentinel', settings);

  test('when the master dies, its replica is used', async () => {
    const store = await openAnswers(settings(), {});
    onTestFinished(() => store.close());
    await store.put(answerOf());
    await master.kill();
    await eventually(async () => {
      try {
        await store.put(answerOf({ key: keyOf(2) }));
        return await store.get('acme', keyOf(2));
      } catch {
        return undefined;
      }
    }).toBeDefined();
  });
});
