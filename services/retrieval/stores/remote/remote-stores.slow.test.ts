import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { Code, type ConnectError } from '@connectrpc/connect';
import { afterAll, describe, expect, test } from 'vitest';
import { hasRedis, redisAdvice, startRedis } from '#kit/testing/redis.ts';
import { freePort, skipped } from '#kit/testing/server.ts';
import { stretched } from '#kit/testing/time.ts';
import { adapter as qdrantKeywords } from '../../adapters/keyword-store/qdrant.ts';
import { adapter as redisearchKeywords } from '../../adapters/keyword-store/redisearch.ts';
import { adapter as chroma } from '../../adapters/vector-store/chroma.ts';
import { adapter as qdrant } from '../../adapters/vector-store/qdrant.ts';
import { adapter as redis } from '../../adapters/vector-store/redis.ts';
import { adapter as redisearch } from '../../adapters/vector-store/redisearch.ts';
import { settingsOf } from '../../suites/store-server.suite.ts';
import type { KeywordStore } from '../keyword-store.ts';
import type { VectorStore } from '../vector-store.ts';

// Stores whose server is away, silent or says no. What a server that works does is in the live tests.

const notAborted = new AbortController().signal;
const scope = { corpora: [{ corpusId: 1, version: 1 }], aclIds: [1], filter: undefined };
const space = { model: 'm', dimensions: 2 };
const row = { key: 1, chunkId: 'c', documentId: 'd', aclId: 1, language: 0, updatedMs: undefined, attributes: {} };
const replace = { kind: 'replace', version: 1, documentIds: ['d'] } as const;

type Calls = Record<'search' | 'count' | 'listKeys' | 'write', (signal: AbortSignal) => Promise<unknown>>;

const callsOf = {
  vectors: (store: VectorStore): Calls => ({
    search: (signal) => store.search('t', { space, vector: Float32Array.of(1, 0), scope, limit: 5 }, signal),
    count: (signal) => store.count('t', 1, 1, signal),
    listKeys: (signal) => store.listKeys('t', 1, 0, 10, signal),
    write: () => store.apply('t', 1, space, { ...replace, rows: [{ ...row, vector: Float32Array.of(1, 0) }] }),
  }),
  keywords: (store: KeywordStore): Calls => ({
    search: (signal) => store.search('t', { text: 'apple', scope, limit: 5 }, signal),
    count: (signal) => store.count('t', 1, 1, signal),
    listKeys: (signal) => store.listKeys('t', 1, 0, 10, signal),
    write: () => store.apply('t', 1, { ...replace, rows: [{ ...row, title: '', text: 'apple' }] }),
  }),
};

/** Each adapter, and how to open it over a server at a port. */
const stores: Record<string, (port: number, timeoutMs: number) => Promise<{ calls: Calls; close(): Promise<void> }>> = {
  async qdrant(port, timeout_ms) {
    const store = await qdrant.create(settingsOf(qdrant, { url: `http://127.0.0.1:${port}`, timeout_ms }), deps);
    return { calls: callsOf.vectors(store), close: () => store.close() };
  },
  async 'qdrant keywords'(port, timeout_ms) {
    const given = settingsOf(qdrantKeywords, { url: `http://127.0.0.1:${port}`, timeout_ms });
    const store = await qdrantKeywords.create(given, deps);
    return { calls: callsOf.keywords(store), close: () => store.close() };
  },
  async chroma(port, timeout_ms) {
    const store = await chroma.create(settingsOf(chroma, { url: `http://127.0.0.1:${port}`, timeout_ms }), deps);
    return { calls: callsOf.vectors(store), close: () => store.close() };
  },
  async redis(port, timeout_ms) {
    const store = await redis.create(settingsOf(redis, { url: `redis://127.0.0.1:${port}`, timeout_ms }), deps);
    return { calls: callsOf.vectors(store), close: () => store.close() };
  },
  async redisearch(port, timeout_ms) {
    const store = await redisearch.create(
      settingsOf(redisearch, { url: `redis://127.0.0.1:${port}`, timeout_ms }),
      deps,
    );
    return { calls: callsOf.vectors(store), close: () => store.close() };
  },
  async 'redisearch keywords'(port, timeout_ms) {
    const given = settingsOf(redisearchKeywords, { url: `redis://127.0.0.1:${port}`, timeout_ms });
    const store = await redisearchKeywords.create(given, deps);
    return { calls: callsOf.keywords(store), close: () => store.close() };
  },
};
const deps = { folder: '', threads: undefined as never };
const closing: (() => unknown)[] = [];
afterAll(() => Promise.all(closing.map((close) => close())));

/** A server that takes connections and says nothing. */
async function startSilent(): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

const codesOf = async (calls: Calls) => {
  const names = Object.keys(calls) as (keyof Calls)[];
  const outcomes = names.map(async (name) => {
    const error = await calls[name](notAborted).then(
      () => undefined,
      (thrown: ConnectError) => thrown,
    );
    return [name, error === undefined ? 'none' : Code[error.code]];
  });
  return Object.fromEntries(await Promise.all(outcomes));
};
const unavailable = { search: 'Unavailable', count: 'Unavailable', listKeys: 'Unavailable', write: 'Unavailable' };

describe.each(Object.keys(stores))('%s', (name) => {
  const open = async (port: number, timeoutMs: number) => {
    const store = await (stores[name] as NonNullable<(typeof stores)[string]>)(port, timeoutMs);
    closing.push(() => store.close());
    return store.calls;
  };

  test('starts without its server, and every call is UNAVAILABLE', async () => {
    expect(await codesOf(await open(await freePort(), 5000))).toEqual(unavailable);
  });

  test('gives a server that says nothing its time, and no more', async () => {
    const calls = await open(await startSilent(), 150);
    const startedAt = performance.now();
    expect(await codesOf(calls)).toEqual(unavailable);
    expect(performance.now() - startedAt).toBeLessThan(stretched(3000));
  });

  test('releases a caller that leaves immediately', async () => {
    const calls = await open(await startSilent(), 700);
    const reason = new Error('left');
    for (const read of [calls.search, calls.count, calls.listKeys]) {
      await expect(read(AbortSignal.abort(reason))).rejects.toBe(reason);
    }
  });
});

describe('Qdrant that says no', () => {
  /** Replies in Qdrant's shape (its OpenAPI file, ErrorResponse). */
  const startReplying = async (status: number, body: object) => {
    const server = createHttpServer((request, response) => {
      const isRoot = request.url === '/';
      response.writeHead(isRoot && status !== 200 ? 200 : status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(isRoot && status !== 200 ? { title: 'qdrant', version: '1.19.0' } : body));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    closing.push(() => {
      server.closeAllConnections();
      server.close();
    });
    return (server.address() as AddressInfo).port;
  };

  test('distinguishes a wrong key, an overload and a bug, and treats an absent collection as empty', async () => {
    const outcomes = [401, 404, 429, 400, 503].map(async (status) => {
      const error = { status: { error: 'Bad request: the document said' }, time: 0 };
      const { calls, close } = await (stores.qdrant as NonNullable<typeof stores.qdrant>)(
        await startReplying(status, error),
        5000,
      );
      closing.push(close);
      return [status, (await codesOf({ search: calls.search } as Calls)).search];
    });
    expect(Object.fromEntries(await Promise.all(outcomes))).toEqual({
      400: 'Internal',
      401: 'Unavailable',
      404: 'none',
      429: 'ResourceExhausted',
      503: 'Unavailable',
    });
  });

  test('is refused as a keyword store if it counts words over all tenants', async () => {
    const port = await startReplying(200, { title: 'qdrant', version: '1.18.2' });
    const { calls, close } = await (stores['qdrant keywords'] as NonNullable<typeof stores.qdrant>)(port, 5000);
    closing.push(close);
    await expect(calls.search(notAborted)).rejects.toThrow(/Qdrant 1\.18\.2: use Qdrant 1\.19 or newer/);
  });
});

describe.skipIf(!hasRedis && skipped('redis', 1, redisAdvice))('Redis that cannot do it', () => {
  test('says which command it lacks, or that it keeps nothing on disk', async () => {
    await using server = await startRedis();
    const { port } = server;
    const ft = await (stores.redisearch as NonNullable<typeof stores.redis>)(port, 5000);
    closing.push(ft.close);
    await expect(ft.calls.count(notAborted)).rejects.toThrow(/lacks a command.*RediSearch/);
    const sets = await (stores.redis as NonNullable<typeof stores.redis>)(port, 5000);
    closing.push(sets.close);
    expect(await codesOf({ write: sets.calls.write } as Calls)).toEqual({ write: 'Unavailable' });
    const store = await redis.create(settingsOf(redis, { url: `redis://127.0.0.1:${port}`, timeout_ms: 5000 }), deps);
    closing.push(() => store.close());
    // Without vectors and searches only the disk matters, and Redis writes nothing to it by default.
    const forget = store.apply('t', 1, undefined, { kind: 'forget', keys: [1] });
    await expect(forget).rejects.toThrow(/appendonly|lacks a command/);
  });
});
