import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { PostgresConnection, PostgresPool } from '#kit/storage/postgres/pool.ts';
import { hasPostgres, postgresAdvice, startPostgres, type TestPostgres } from '#kit/testing/postgres.ts';
import { skipped } from '#kit/testing/server.ts';
import { createSqliteThreads } from '../../sqlite/threads.ts';
import { openRetrieval, openStores } from '../../testing/local-stores.ts';
import { openPool, openPostgresEngine } from '../../testing/postgres.ts';
import { failureOf } from '../../testing/retrieval.ts';
import { createCatalog } from '../catalog.ts';
import { createStateReader } from './state-reader.ts';

const notAborted = new AbortController().signal;

describe.skipIf(!hasPostgres && skipped('postgres', 9, postgresAdvice))('a catalog that replicas share', () => {
  let server: TestPostgres;
  let url: string;
  const pools: PostgresPool[] = [];
  beforeAll(async () => {
    server = await startPostgres();
    url = await server.createDatabase();
  });
  afterAll(async () => {
    for (const pool of pools) await pool.close();
    await server[Symbol.asyncDispose]();
  });
  const newPool = async () => {
    const pool = await openPool(url);
    pools.push(pool);
    return pool;
  };
  const openCatalog = async () => {
    const engine = await openPostgresEngine(await newPool());
    return createCatalog({ ...engine, close: async () => {} }, Math.random);
  };
  let tenantCount = 0;
  const newTenant = () => `tenant-${++tenantCount}`;

  test('changes of a tenant never overlap, and no replica is kept from its turn', async () => {
    const tenant = newTenant();
    const replicas = await Promise.all([openCatalog(), openCatalog(), openCatalog()]);
    let running = 0;
    const turns: number[] = [];
    const change = (replica: number) =>
      (replicas[replica] as (typeof replicas)[number]).changes.exclusive(tenant, notAborted, async () => {
        expect(++running).toBe(1);
        turns.push(replica);
        await new Promise((resolve) => setTimeout(resolve, 20));
        running--;
      });
    await Promise.all(
      replicas.map(async (_, replica) => {
        for (let count = 0; count < 12; count++) await change(replica);
      }),
    );
    // A replica that always has a next change leaves turns to the others.
    for (const replica of [0, 1, 2]) expect(turns.slice(0, 24)).toContain(replica);
  });

  test('a replica that was believed dead cannot write any more', async () => {
    const tenant = newTenant();
    const [slow, quick] = [await openCatalog(), await openCatalog()];
    const pool = await newPool();
    const failure = slow.changes.exclusive(tenant, notAborted, async () => {
      await slow.versions.createCorpus(tenant, 'kept');
      // As if it had not renewed its lease for too long.
      await pool.query('UPDATE ragmesh_retrieval.catalog_lease SET expires_at = $2 WHERE tenant = $1', [
        tenant,
        '-infinity',
      ]);
      await quick.changes.exclusive(tenant, notAborted, () => quick.versions.createCorpus(tenant, 'other'));
      await slow.versions.createCorpus(tenant, 'lost');
    });
    expect(await failureOf(failure)).toMatchObject({ code: Code.Unavailable });
    const { corpora } = await quick.versions.load(tenant);
    expect(corpora.map(({ name }) => name)).toEqual(['kept', 'other']);
  });

  test('a replica that was stopped for longer than its turn changes no store any more', async () => {
    const tenant = newTenant();
    const catalog = await openCatalog();
    await catalog.changes.exclusive(tenant, notAborted, async () => {
      catalog.changes.requireTurn(tenant);
      // Stops the thread, and so the renewals.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 6500);
      const late = async () => catalog.changes.requireTurn(tenant);
      expect(await failureOf(late())).toMatchObject({ code: Code.Unavailable });
    });
  });

  test('a change that takes long keeps its turn', async () => {
    const tenant = newTenant();
    const [first, second] = [await openCatalog(), await openCatalog()];
    const ended: string[] = [];
    const long = first.changes.exclusive(tenant, notAborted, async () => {
      // Longer than a lease that is not renewed.
      await new Promise((resolve) => setTimeout(resolve, 8000));
      await first.versions.createCorpus(tenant, 'help');
      ended.push('long');
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
    await second.changes.exclusive(tenant, notAborted, async () => void ended.push('next'));
    await long;
    expect(ended).toEqual(['long', 'next']);
  });

  test('a text that another replica has purged is not read from memory', async () => {
    const tenant = newTenant();
    const [first, second] = [await openCatalog(), await openCatalog()];
    const space = { model: 'words', dimensions: 2 };
    const key = await first.changes.exclusive(tenant, notAborted, async () => {
      await first.versions.createCorpus(tenant, 'help');
      const firstKey = await first.numbers.takeKeys(tenant, 2);
      const [aclId] = await first.numbers.aclIdsOf(tenant, [['*']]);
      const place = { language: 0, startOffset: 0, endOffset: 5, headingPath: [] };
      const chunk = { key: firstKey + 1, chunkId: 'a#0', ordinal: 0, text: 'apple', ...place };
      const document = { key: firstKey, documentId: 'a', title: '', url: '', contentHash: new Uint8Array() };
      await first.documents.replace(tenant, 1, 1, space, [{ ...document, aclId: aclId as number, chunks: [chunk] }]);
      return chunk.key;
    });
    const scope = { corpora: [{ corpusId: 1, version: 1 }], aclIds: [1] };
    const textsOf = async () => (await second.passages.read(tenant, [key], scope, notAborted)).map(({ text }) => text);
    expect(await textsOf()).toEqual(['apple']);
    expect(await textsOf()).toEqual(['apple']);
    await first.changes.exclusive(tenant, notAborted, () => first.documents.beginPurge(tenant, 1, ['a']));
    expect(await textsOf()).toEqual([]);
  });

  test('a write outside of a change is a bug', async () => {
    const catalog = await openCatalog();
    await expect(catalog.versions.createCorpus(newTenant(), 'help')).rejects.toThrow('outside of a change');
  });

  test('a change that waits for another replica ends with its call', async () => {
    const tenant = newTenant();
    const [first, second] = [await openCatalog(), await openCatalog()];
    await first.changes.exclusive(tenant, notAborted, async () => {
      const controller = new AbortController();
      const waiting = second.changes.exclusive(tenant, controller.signal, async () => {});
      setTimeout(() => controller.abort(), 50);
      expect(await failureOf(waiting)).toMatchObject({ code: Code.Canceled });
    });
  });

  test('reads that come together share a query, and none gets a state from before its call', async () => {
    const tenant = newTenant();
    const catalog = await openCatalog();
    const pool = await newPool();
    let queryCount = 0;
    const counting: PostgresConnection = {
      query(...args) {
        queryCount++;
        return pool.query(...args);
      },
    };
    const states = createStateReader(counting, 'ragmesh_retrieval.catalog_tenant');
    const readAll = () => Promise.all(Array.from({ length: 1000 }, () => states.read(tenant, notAborted)));
    expect(new Set(await readAll())).toEqual(new Set([undefined]));
    expect(queryCount).toBe(2);
    for (let round = 1; round <= 20; round++) {
      const before = readAll();
      await catalog.changes.exclusive(tenant, notAborted, () =>
        catalog.versions.createCorpus(tenant, `corpus-${round}`),
      );
      const { state } = await catalog.versions.load(tenant);
      expect(new Set(await readAll())).toEqual(new Set([state]));
      await before;
    }
  });

  test('a search whose version another replica drops meanwhile runs again, over the next version', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ragmesh-dropped-'));
    const threads = createSqliteThreads(1);
    const stores = await openStores(folder, threads);
    onTestFinished(async () => {
      for (const part of [stores.vectors, stores.keywords, threads]) await part.close();
      rmSync(folder, { recursive: true, force: true });
    });
    const database = await server.createDatabase();
    const engines = await Promise.all([1, 2].map(async () => openPostgresEngine(await openPool(database))));
    const [writing, reading] = engines as [(typeof engines)[number], (typeof engines)[number]];
    let beforeSearch = async () => {};
    const writer = await openRetrieval(folder, threads, { stores, engine: writing, keptVersions: 0 });
    const reader = await openRetrieval(folder, threads, {
      stores,
      engine: reading,
      wrap: ({ vectors, keywords }) => ({
        vectors,
        keywords: {
          ...keywords,
          async search(...args) {
            await beforeSearch();
            return keywords.search(...args);
          },
        },
      }),
    });
    onTestFinished(async () => {
      await reader.close();
      await writer.close();
    });
    const size = 12;
    const documents = (text: string) =>
      Array.from({ length: size }, (_, at): [string, string] => [`d${at}`, `apple of ${text}`]);
    await writer.build('help', 'build-1', documents('first'));
    let publishCount = 0;
    beforeSearch = async () => {
      if (++publishCount === 1) await writer.build('help', 'build-2', documents('second'));
    };
    const { passages, fused, legs } = await reader.ask('apple', { topK: 50 });
    expect(publishCount).toBe(2);
    expect(legs).toHaveLength(2);
    expect(new Set(passages.map(({ text }) => text))).toEqual(new Set(['apple of second']));
    expect(passages).toHaveLength(size);
    expect(fused.versions.map(({ version }) => version)).toEqual([2n]);
  });
});
