import { Code } from '@connectrpc/connect';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLogger } from '#kit/base/log.ts';
import { createFromAdapter } from '#kit/host/config/adapters.ts';
import { hasRedis, redisAdvice, startRedis } from '#kit/testing/redis.ts';
import { skipped, type TestServer } from '#kit/testing/server.ts';
import type { SemanticStore, SemanticStoreDeps } from '../../semantic/semantic-store.ts';
import { keyOf, type SemanticStoreTestDeps, semanticStoreSuite, vectorAt } from '../../suites/semantic-store.suite.ts';

describe.skipIf(!hasRedis && skipped('redis', 12, redisAdvice))('a real Redis', () => {
  let server: TestServer;
  let direct: Redis;
  let prefixes = 0;
  const newPrefix = () => `test${++prefixes}:`;
  const open = (deps: SemanticStoreTestDeps, key_prefix = newPrefix()) =>
    createFromAdapter<SemanticStore, SemanticStoreDeps>(
      new URL('./', import.meta.url),
      'redis',
      { url: `redis://127.0.0.1:${server.port}`, key_prefix },
      { ...deps, folder: '' },
      'cache.semantic_store',
    );
  beforeAll(async () => {
    server = await startRedis();
    direct = new Redis(server.port, '127.0.0.1');
  });
  afterAll(async () => {
    direct.disconnect();
    await server[Symbol.asyncDispose]();
  });

  semanticStoreSuite('redis', (deps) => open(deps));

  const { signal } = new AbortController();
  const deps = {
    clock: Date.now,
    random: Math.random,
    log: createLogger('silent'),
    maxPerScope: 9,
    maxPerTenant: 9,
    dimensions: 8,
    embeddingModel: 'm',
  };
  const entryOf = (number: number) => ({
    tenant: 't',
    scopeKey: 's',
    key: keyOf(number),
    question: `q${number}`,
    vector: vectorAt(0),
    documentIds: ['d'],
    storedAtMs: Date.now(),
    expiresAtMs: Date.now() + 60_000,
  });
  const query = { tenant: 't', scopeKey: 's', vector: vectorAt(0), limit: 9 };

  test('replicas see immediately what another one writes and removes', async () => {
    const prefix = newPrefix();
    const [one, two] = [await open(deps, prefix), await open(deps, prefix)];
    await one.put(entryOf(1), signal);
    expect(await two.search(query, signal)).toHaveLength(1);
    await one.put(entryOf(2), signal);
    expect(await two.search(query, signal)).toHaveLength(2);
    await one.remove('t', { kind: 'document', documentId: 'd' }, signal);
    expect(await two.search(query, signal)).toEqual([]);
    await one.close();
    await two.close();
  });

  test('a value that was changed by hand, and keys that the server threw out, are only missed', async () => {
    const prefix = newPrefix();
    const store = await open(deps, prefix);
    for (const number of [1, 2]) await store.put(entryOf(number), signal);
    const [hash = ''] = await direct.keys(`${prefix}*:s:*`);
    await direct.hset(hash, keyOf(1), 'x', '', 'other');
    expect((await store.search(query, signal)).map(({ key }) => key)).toEqual([keyOf(2)]);
    await direct.del(hash);
    expect(await store.search(query, signal)).toEqual([]);
    await store.remove('t', { kind: 'all' }, signal);
    await store.put(entryOf(3), signal);
    expect(await store.search(query, signal)).toHaveLength(1);
    await store.close();
  });

  test('every key of it expires', async () => {
    const prefix = newPrefix();
    const store = await open(deps, prefix);
    await store.put(entryOf(1), signal);
    const keys = await direct.keys(`${prefix}*`);
    expect(keys.length).toBeGreaterThan(5);
    for (const key of keys) expect(await direct.pttl(key)).toBeGreaterThan(0);
    await store.close();
  });

  test('a Redis that is away is UNAVAILABLE', async () => {
    await using own = await startRedis();
    const store = await createFromAdapter<SemanticStore, SemanticStoreDeps>(
      new URL('./', import.meta.url),
      'redis',
      { url: `redis://127.0.0.1:${own.port}` },
      { ...deps, folder: '' },
      'cache.semantic_store',
    );
    await own.kill();
    await expect(store.search(query, signal)).rejects.toMatchObject({ code: Code.Unavailable });
    await store.close();
  });
});
