import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { createFromAdapter } from '#kit/host/config/adapters.ts';
import { hasRedis, redisAdvice, startRedis } from '#kit/testing/redis.ts';
import { skipped, type TestServer } from '#kit/testing/server.ts';
import { stretched } from '#kit/testing/time.ts';
import type { AnswerStore, AnswerStoreDeps, InvalidateTarget } from '../../answers/answer-store.ts';
import { answerOf, answerStoreSuite, keyOf } from '../../suites/answer-store.suite.ts';
import { storeDeps } from '../../testing/cache.ts';

let prefixes = 0;

/** A replica's store; `heard` is what it received from the others. */
async function open(port: number, settings: object = {}, deps: Partial<AnswerStoreDeps> = {}) {
  const heard: [tenant: string, target: InvalidateTarget][] = [];
  const epochs = new Map<string, string>();
  const attached: boolean[] = [];
  const store = await createFromAdapter<AnswerStore, AnswerStoreDeps>(
    new URL('./', import.meta.url),
    'redis',
    { url: `redis://127.0.0.1:${port}`, ...settings },
    storeDeps({
      listener: {
        epoch: (tenant, epoch) => void epochs.set(tenant, epoch),
        invalidated: (tenant, target) => void heard.push([tenant, target]),
        attached: (isAttached) => void attached.push(isAttached),
      },
      ...deps,
    }),
    'cache.durable_store',
  );
  return { store, heard, epochs, attached };
}

describe.skipIf(!hasRedis && skipped('redis', 20, redisAdvice))('a real Redis', () => {
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
  const newPrefix = () => `test${++prefixes}:`;
  const eventually = (check: () => unknown) => expect.poll(check, { timeout: 5000, interval: 10 });

  answerStoreSuite(
    'redis',
    async (maxBytes) => {
      let nowMs = 1_000_000;
      const { store } = await open(server.port, { key_prefix: newPrefix() }, { maxBytes, clock: () => nowMs });
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

  async function twoReplicas() {
    const key_prefix = newPrefix();
    const [one, other] = [await open(server.port, { key_prefix }), await open(server.port, { key_prefix })];
    onTestFinished(async () => {
      await one.store.close();
      await other.store.close();
    });
    return { one, other, prefix: `${key_prefix}{acme}` };
  }

  test('what one replica has put, the other finds; what one has removed, the other hears of and does not find', async () => {
    const { one, other } = await twoReplicas();
    await one.store.put(answerOf());
    expect(await other.store.get('acme', keyOf(1))).toEqual(answerOf());
    const target = { kind: 'label', label: 'document:d1' } as const;
    expect(await one.store.invalidate('acme', target)).toEqual([keyOf(1)]);
    expect(await other.store.get('acme', keyOf(1))).toBeUndefined();
    await eventually(() => other.heard).toContainEqual(['acme', target]);
  });

  test('an answer that was begun before an invalidation is not kept after it, another one is', async () => {
    const { one, other } = await twoReplicas();
    await one.store.get('acme', keyOf(1));
    const epoch = one.epochs.get('acme') as string;
    await other.store.invalidate('acme', { kind: 'label', label: 'document:d1' });
    await one.store.put(answerOf(), { epoch });
    await one.store.put(answerOf({ key: keyOf(2), labels: ['document:d2'] }), { epoch });
    expect(await other.store.get('acme', keyOf(1))).toBeUndefined();
    expect(await other.store.get('acme', keyOf(2))).toBeDefined();
    await one.store.put(answerOf({ key: keyOf(3) }), { epoch: '' });
    expect(await other.store.get('acme', keyOf(3))).toBeUndefined();
  });

  test('an answer that replaces another one is reported to the other replicas', async () => {
    const { one, other } = await twoReplicas();
    await one.store.put(answerOf(), { replaces: true });
    await eventually(() => other.heard).toEqual([['acme', { kind: 'entry', key: keyOf(1) }]]);
  });

  test('whatever a server that is full throws out, nothing that was invalidated comes back', async () => {
    const { one, other, prefix } = await twoReplicas();
    for (const thrownOut of [[':v'], [':i'], [':v', ':i'], [':x', ':s', ':l:document:d1']]) {
      await one.store.put(answerOf());
      await direct.copy(`${prefix}:a:${keyOf(1)}`, `${prefix}:saved`);
      await one.store.invalidate('acme', { kind: 'label', label: 'document:d1' });
      // As if its removal had been lost.
      await direct.copy(`${prefix}:saved`, `${prefix}:a:${keyOf(1)}`, 'REPLACE');
      await direct.del(...thrownOut.map((name) => prefix + name), `${prefix}:saved`);
      for (const { store } of [other, one]) expect(await store.get('acme', keyOf(1))).toBeUndefined();
    }
  });

  test('bytes that were changed, or belong to another key, are not an answer', async () => {
    const { one, prefix } = await twoReplicas();
    const value = Buffer.from('the answer '.repeat(2000));
    await one.store.put(answerOf({ value }));
    const bytes = (await direct.getBuffer(`${prefix}:a:${keyOf(1)}`)) as Buffer;
    expect(bytes.byteLength).toBeLessThan(value.byteLength / 10);
    for (const position of [0, 3, 4, 5, 20, bytes.length - 1]) {
      const changed = Buffer.from(bytes);
      changed[position] = (changed[position] as number) ^ 1;
      await direct.set(`${prefix}:a:${keyOf(1)}`, changed);
      await expect(one.store.get('acme', keyOf(1))).rejects.toThrow(/changed/);
    }
    await direct.set(`${prefix}:a:${keyOf(2)}`, bytes);
    await expect(one.store.get('acme', keyOf(2))).rejects.toThrow(/changed/);
    await direct.set(`${prefix}:a:${keyOf(1)}`, '');
    await expect(one.store.get('acme', keyOf(1))).rejects.toThrow(/changed/);
  });

  test('answers and their index go by themselves in the end', async () => {
    const { one, prefix } = await twoReplicas();
    await one.store.put(answerOf());
    const lived = await Promise.all(
      [`:a:${keyOf(1)}`, ':x', ':s', ':l:document:d1'].map((name) => direct.pttl(prefix + name)),
    );
    for (const ms of lived) expect(ms).toBeGreaterThan(0);
  });

  test('a tenant name with any sign stays in its own keys', async () => {
    const { one } = await twoReplicas();
    for (const tenant of ['a}b', '{', 'a:a', 'ü']) {
      await one.store.put(answerOf({ tenant, value: Buffer.from(tenant) }));
      const found = await one.store.get(tenant, keyOf(1));
      expect(Buffer.from(found?.value ?? []).toString()).toBe(tenant);
    }
  });

  test('many invalidations by name are remembered as one of all', async () => {
    const { one, other } = await twoReplicas();
    await one.store.put(answerOf({ key: keyOf(7), labels: ['document:kept'] }));
    await one.store.get('acme', keyOf(7));
    const epoch = one.epochs.get('acme') as string;
    const invalidate = (number: number) =>
      one.store.invalidate('acme', { kind: 'label', label: `document:x${number}` });
    await Promise.all(Array.from({ length: 300 }, (_, number) => invalidate(number)));
    expect(await other.store.get('acme', keyOf(7))).toBeDefined();
    expect(await one.store.invalidate('acme', { kind: 'label', label: 'document:kept' })).toEqual([keyOf(7)]);
    await one.store.put(answerOf({ key: keyOf(7), labels: ['document:kept'] }), { epoch });
    expect(await other.store.get('acme', keyOf(7))).toBeUndefined();
  });

  test('a replica that was cut off learns what it missed before it says that it listens', async () => {
    const { one, other } = await twoReplicas();
    await other.store.get('acme', keyOf(1));
    await direct.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await one.store.invalidate('acme', { kind: 'label', label: 'document:d1' });
    await eventually(() => other.attached.slice(-2)).toEqual([false, true]);
    expect(other.heard).toContainEqual(['acme', { kind: 'label', label: 'document:d1' }]);
  });

  test('without Redis it opens, and every call fails immediately', async () => {
    await using gone = await startRedis();
    await gone.kill();
    const { store, attached } = await open(gone.port);
    onTestFinished(() => store.close());
    const startedAt = performance.now();
    await expect(store.get('acme', keyOf(1))).rejects.toThrow();
    await expect(store.put(answerOf(), { epoch: 'x.0' })).rejects.toThrow();
    expect(performance.now() - startedAt).toBeLessThan(stretched(1000));
    expect(attached).not.toContain(true);
    await using back = await startRedis(gone.port);
    await eventually(() => attached.at(-1)).toBe(true);
    await eventually(() => store.get('acme', keyOf(1)).catch(() => 'away')).toBeUndefined();
    expect(back.port).toBe(gone.port);
  });

  test.each([
    ['url', { url: 'http://here' }],
    ['exclude', { urls: ['a:1'], sentinel: 'shop', cluster: true }],
  ])('wrong settings stop the start: %s', async (named, settings) => {
    await expect(open(server.port, settings)).rejects.toThrow(named);
  });
});
