import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { createLogger, type Logger } from '../base/log.ts';
import { readSettings } from '../host/config/adapter-settings.ts';
import { hasRedis, type RedisTopology, redisAdvice, redisTopologies, startRedis } from '../testing/redis.ts';
import { freePort, skipped } from '../testing/server.ts';
import { mastersOf, openRedis, openRedisListener, tenantPrefix } from './redis.ts';
import { redisError } from './redis-errors.ts';
import { redisSettings } from './redis-settings.ts';

// The connection policy over every topology that it supports, with real servers.

const shape = redisSettings('test:');
const settingsOf = (given: Readonly<Record<string, unknown>>) => readSettings(shape, given as never, 'redis.settings');
const log = createLogger('silent');
const eventually = <T>(check: () => T) => expect.poll(check, { timeout: 20_000, interval: 50 });

async function open(given: Readonly<Record<string, unknown>>) {
  const redis = await openRedis(settingsOf(given), { name: 'test store', timeoutMs: 2000, log });
  onTestFinished(() => redis.disconnect());
  return redis;
}

async function listen(given: Readonly<Record<string, unknown>>) {
  const attached: boolean[] = [];
  const onAttached = (isAttached: boolean) => void attached.push(isAttached);
  const listener = await openRedisListener(settingsOf(given), { name: 'test store', log }, onAttached);
  onTestFinished(() => listener.close());
  return { listener, attached };
}

describe.skipIf(!hasRedis && skipped('redis', 24, redisAdvice)).each(redisTopologies)('Redis as $name', ({ start }) => {
  let topology: RedisTopology;
  beforeAll(async () => {
    topology = await start();
  }, 60_000);
  afterAll(() => topology[Symbol.asyncDispose]());

  test('commands and scripts of every tenant reach the server that has its keys', async () => {
    const redis = await open(topology.settings);
    redis.defineCommand('addTo', { lua: "return redis.call('INCRBY', KEYS[1], ARGV[1])" });
    const scripts = redis as unknown as { addTo(keyCount: 1, key: string, by: number): Promise<number> };
    for (let index = 0; index < 12; index++) {
      const key = `${tenantPrefix('scripts:', `tenant ${index}`)}:count`;
      await redis.set(key, index);
      expect(await scripts.addTo(1, key, 100)).toBe(index + 100);
      expect(await redis.get(key)).toBe(String(index + 100));
    }
  });

  test('keys of one tenant are changed in one transaction', async () => {
    const redis = await open(topology.settings);
    const prefix = tenantPrefix('transactions:', 'acme');
    const replies = await redis.multi().set(`${prefix}:a`, 1).set(`${prefix}:b`, 2).get(`${prefix}:a`).exec();
    expect(replies?.map(([, reply]) => reply)).toEqual(['OK', 'OK', '1']);
  });

  test('commands that are sent together are answered each', async () => {
    const options = { name: 'test store', timeoutMs: 2000, autoPipelining: true, log };
    const redis = await openRedis(settingsOf(topology.settings), options);
    onTestFinished(() => redis.disconnect());
    const keys = Array.from({ length: 50 }, (_, index) => `together:${index}`);
    await Promise.all(keys.map((key) => redis.set(key, key)));
    expect(await Promise.all(keys.map((key) => redis.get(key)))).toEqual(keys);
  });

  test('every server that takes writes is known', async () => {
    const redis = await open(topology.settings);
    const masters = mastersOf(redis);
    expect(masters).toHaveLength(topology.settings.cluster === true ? 3 : 1);
    for (const master of masters) expect(await master.ping()).toBe('PONG');
  });

  test('a message that is published reaches every listener', async () => {
    const redis = await open(topology.settings);
    const received: string[] = [];
    for (const name of ['one', 'two']) {
      const { listener } = await listen(topology.settings);
      await listener.subscribe('news', (message) => void received.push(`${name} ${message}`));
    }
    await redis.publish('news', 'first');
    await eventually(() => received.toSorted()).toEqual(['one first', 'two first']);
  });

  test('a listener that unsubscribes receives no more', async () => {
    const redis = await open(topology.settings);
    const { listener } = await listen(topology.settings);
    const received: string[] = [];
    const stop = await listener.subscribe('stopped', (message) => void received.push(message));
    await listener.subscribe('end', (message) => void received.push(message));
    stop();
    await redis.publish('stopped', 'late');
    await redis.publish('end', 'end');
    await eventually(() => received).toEqual(['end']);
  });
});

describe.skipIf(!hasRedis && skipped('redis', 5, redisAdvice))('a Redis that is away', () => {
  test('a connection opens without it, fails its commands immediately, and works when it starts', async () => {
    const port = await freePort();
    const redis = await open({ url: `redis://127.0.0.1:${port}` });
    await expect(redis.get('key')).rejects.toThrow();
    await using _server = await startRedis(port);
    await eventually(() => redis.get('key').catch(() => 'away')).toBe(null);
  });

  test('a listener reports that it stopped and started again, and then receives messages', async () => {
    const first = await startRedis();
    const given = { url: `redis://127.0.0.1:${first.port}` };
    const { listener, attached } = await listen(given);
    const received: string[] = [];
    await listener.subscribe('news', (message) => void received.push(message));
    await first[Symbol.asyncDispose]();
    await eventually(() => attached.at(-1)).toBe(false);
    await using _again = await startRedis(first.port);
    await eventually(() => attached.at(-1)).toBe(true);
    const redis = await open(given);
    await redis.publish('news', 'after');
    await eventually(() => received).toEqual(['after']);
  });

  test('when the master behind Sentinel dies, its replica takes the writes', async () => {
    const topology = await (redisTopologies[2]?.start() as Promise<RedisTopology>);
    onTestFinished(() => topology[Symbol.asyncDispose]());
    const redis = await open(topology.settings);
    await redis.set('key', 'before');
    await topology.servers[0]?.kill();
    await eventually(() => redis.set('key', 'after').catch(() => 'away')).toBe('OK');
  }, 60_000);

  test('a user and password of the URL or of the settings are used, and a wrong one is reported', async () => {
    await using server = await startRedis(undefined, ['--requirepass', 'secret']);
    const address = `127.0.0.1:${server.port}`;
    expect(await (await open({ url: `redis://:secret@${address}` })).ping()).toBe('PONG');
    expect(await (await open({ url: `redis://${address}`, password: 'secret' })).ping()).toBe('PONG');
    const failures: unknown[] = [];
    const recording = {
      debug() {},
      error: ({ err }: { err: unknown }) => void failures.push(err),
    } as unknown as Logger;
    const options = { name: 'test store', timeoutMs: 2000, log: recording };
    (await openRedis(settingsOf({ url: `redis://${address}` }), options)).disconnect();
    expect(failures.map((failure) => redisError('test store', failure))).toMatchObject([
      { rawMessage: 'the test store requires a password: check the settings' },
    ]);
  });

  test('a server whose certificate is signed by a stranger is not used', async () => {
    const topology = await (redisTopologies[1]?.start() as Promise<RedisTopology>);
    onTestFinished(() => topology[Symbol.asyncDispose]());
    const redis = await open({ url: topology.settings.url });
    await expect(redis.ping()).rejects.toThrow();
  });
});
