import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { readSettings } from '#kit/host/config/adapter-settings.ts';
import { hasRedis, type RedisTopology, redisAdvice, redisTopologies } from '#kit/testing/redis.ts';
import { skipped } from '#kit/testing/server.ts';
import { openStoreRedis, searchRedisSettings, storeRedisSettings, tenantPrefix } from './connection.ts';

// What the stores ask of Redis, over every topology.

describe.skipIf(!hasRedis && skipped('redis', 12, redisAdvice)).each(redisTopologies)('Redis as $name', ({ start }) => {
  let topology: RedisTopology;
  beforeAll(async () => {
    topology = await start();
  }, 60_000);
  afterAll(() => topology[Symbol.asyncDispose]());

  const open = async (given: object = {}) => {
    // Servers of these tests keep nothing on disk.
    const all = { ...topology.settings, durable: false, ...given };
    const server = await openStoreRedis(readSettings(storeRedisSettings, all as never, 'store.settings'), 'test store');
    onTestFinished(() => server.close());
    return server;
  };

  test('groups of commands are written and read for each tenant', async () => {
    const server = await open();
    for (let index = 0; index < 12; index++) {
      const prefix = tenantPrefix('rows', `tenant ${index}`);
      await server.write([
        ['HSET', `${prefix}:row`, 'value', index],
        ['ZADD', `${prefix}:keys`, 1, 'row'],
      ]);
      const replies = await server.read([
        ['HGET', `${prefix}:row`, 'value'],
        ['ZCARD', `${prefix}:keys`],
      ]);
      expect(replies.map(String)).toEqual([String(index), '1']);
    }
    await server.flush();
  });

  test('each command that fails has its error in its place', async () => {
    const server = await open();
    const key = `${tenantPrefix('errors', 'acme')}:text`;
    const [set, failure] = await server.attempt([
      ['SET', key, 'text'],
      ['LPUSH', key, 'text'],
    ]);
    expect(set).toBe('OK');
    expect(server.toError(failure)).toMatchObject({ code: 13 });
  });

  test('a write that must be on disk fails if the server cannot confirm it', async () => {
    const server = await open({ durable: true });
    await server.write([['SET', `${tenantPrefix('durable', 'acme')}:row`, 1]]);
    await expect(server.flush()).rejects.toMatchObject({ code: 14 });
  });
});

test('RediSearch refuses a cluster', () => {
  expect(() => readSettings(searchRedisSettings, { cluster: true, urls: ['db:1'] }, 'store.settings')).toThrow(
    'store.settings.cluster: is true',
  );
});
