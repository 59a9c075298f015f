import { create } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { StorageConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { createLogger } from '#kit/base/log.ts';
import { openPostgres, type PostgresPool } from '#kit/storage/postgres/pool.ts';
import { readStorage } from '#kit/storage/postgres/settings.ts';
import { connectTo, startPostgres, type TestPostgres } from '#kit/testing/postgres.ts';
import { skipped } from '#kit/testing/server.ts';
import { stretched } from '#kit/testing/time.ts';
import type { KeywordRow, KeywordStore } from '../../../stores/keyword-store.ts';
import type { VectorStore } from '../../../stores/vector-store.ts';
import { settingsOf } from '../../../suites/store-server.suite.ts';
import { hasPgvector, pgvectorAdvice } from '../../../testing/pgvector.ts';
import { startRetrieval } from '../../../testing/retrieval.ts';
import { adapter as keywordAdapter } from '../../keyword-store/postgres/index.ts';
import { adapter as vectorAdapter } from '../../vector-store/pgvector/index.ts';
import { tenantId } from './conditions.ts';

vi.setConfig({ testTimeout: 120_000 });

const space = { model: 'm', dimensions: 2 };
const notAborted = new AbortController().signal;
const at = (version: number) => ({ corpora: [{ corpusId: 1, version }], aclIds: [1], filter: undefined });

function keywordRow(key: number, text: string): KeywordRow {
  const shared = { aclId: 1, language: 0, updatedMs: undefined, attributes: {}, title: '' };
  return { key, chunkId: `c${key}`, documentId: `d${key}`, text, ...shared };
}

describe.skipIf(!hasPgvector && skipped('pgvector', 8, pgvectorAdvice))('the stores in one PostgreSQL', () => {
  let server: TestPostgres;
  let url: string;
  let pool: PostgresPool;
  let vectors: VectorStore;
  let keywords: KeywordStore;

  const timeoutMs = Math.ceil(stretched(1000));
  const openBoth = async () => {
    const deps = { postgres: pool };
    const given = { timeout_ms: timeoutMs };
    return Promise.all([
      vectorAdapter.create(settingsOf(vectorAdapter, given), deps),
      keywordAdapter.create(settingsOf(keywordAdapter, given), deps),
    ]);
  };
  const write = (tenant: string, version: number, rows: readonly KeywordRow[]) => {
    const change = { kind: 'replace', version, documentIds: rows.map(({ documentId }) => documentId) } as const;
    const toVectorRow = (row: KeywordRow) => ({ ...row, vector: Float32Array.of(1, 0) });
    return Promise.all([
      vectors.apply(tenant, 1, space, { ...change, rows: rows.map(toVectorRow) }),
      keywords.apply(tenant, 1, { ...change, rows }),
    ]);
  };
  const searchBoth = (tenant: string, version = 1) =>
    Promise.allSettled([
      vectors.search(tenant, { space, vector: Float32Array.of(1, 0), scope: at(version), limit: 10 }, notAborted),
      keywords.search(tenant, { text: 'apple', scope: at(version), limit: 10 }, notAborted),
    ]);
  const bothFind = async (tenant: string, version = 1): Promise<unknown[]> =>
    (await searchBoth(tenant, version)).map((done) =>
      done.status === 'fulfilled' ? done.value.map(({ key }) => key) : done.reason.code,
    );

  beforeAll(async () => {
    server = await startPostgres({ isDurable: true });
    url = await server.createDatabase();
    const settings = readStorage(create(StorageConfigSchema, { database: url }));
    if (settings === undefined) throw new Error('no settings');
    pool = await openPostgres(settings, createLogger('silent'));
    [vectors, keywords] = await openBoth();
  });
  afterAll(async () => {
    for (const part of [vectors, keywords, pool]) await part.close();
    await server[Symbol.asyncDispose]();
  });

  test('open concurrently over an empty database, as replicas do, and leave the process its connections', async () => {
    const empty = await server.createDatabase();
    const given = { url: empty };
    const stores = await Promise.all([
      ...[1, 2, 3].map(() => vectorAdapter.create(settingsOf(vectorAdapter, given), {})),
      ...[1, 2, 3].map(() => keywordAdapter.create(settingsOf(keywordAdapter, given), {})),
    ]);
    for (const store of stores) expect(await store.count('t', 1, 1, notAborted)).toBe(0);
    for (const store of [...stores, ...(await openBoth())]) await store.close();
    expect(await pool.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  test('need a URL or storage.database, and name neither user nor password of one that is wrong', async () => {
    const missing = keywordAdapter.create(settingsOf(keywordAdapter, {}), {});
    await expect(missing).rejects.toThrow('retrieval.keyword_store.settings.url: needs a URL, or set storage.database');
    const wrong = settingsOf(vectorAdapter, { url: url.replace('ragmesh@', 'someone:secret@') });
    const failure = await Promise.resolve(vectorAdapter.create(wrong, {})).catch((error: unknown) => error);
    expect(String(failure)).toMatch(/^ConfigError: retrieval.vector_store.settings.url: /);
    expect(String(failure)).not.toMatch(/someone|secret/);
  });

  test('see what another replica wrote as soon as it is acknowledged', async () => {
    const [otherVectors, otherKeywords] = await openBoth();
    await write('shared', 1, [keywordRow(1, 'apple')]);
    const query = { space, vector: Float32Array.of(1, 0), scope: at(1), limit: 10 };
    expect(await otherVectors.search('shared', query, notAborted)).toHaveLength(1);
    const purge = { kind: 'purge', documentIds: ['d1'] } as const;
    await Promise.all([otherVectors.apply('shared', 1, undefined, purge), otherKeywords.apply('shared', 1, purge)]);
    expect(await bothFind('shared')).toEqual([[], []]);
  });

  test('the service builds, searches, rolls back and purges with them', async () => {
    const settings = { url: await server.createDatabase() };
    await using mesh = await startRetrieval({
      config: { vectorStore: { adapter: 'pgvector', settings }, keywordStore: { adapter: 'postgres', settings } },
    });
    const first = await mesh.build('help', 'one', [
      ['a', 'apples are red'],
      ['b', 'plums are blue'],
    ]);
    await mesh.build('help', 'two', [['a', 'apples are green']]);
    const { legs, passages } = await mesh.ask('green apples');
    expect(legs.map(({ degradation }) => degradation)).toEqual([undefined, undefined]);
    expect(passages[0]?.text).toBe('apples are green');
    expect(await mesh.count('help')).toEqual([2, 2, 2, 2, 0]);
    await mesh.client.rollbackVersion({ corpus: 'help', version: first }, await mesh.as());
    expect((await mesh.ask('apples')).passages[0]?.text).toBe('apples are red');
    await mesh.client.purgeDocuments({ corpus: 'help', documentIds: ['a'] }, await mesh.as());
    expect((await mesh.ask('apples')).documentIds).not.toContain('a');
    expect(await mesh.count('help')).toEqual([1, 1, 1, 1, 0]);
  });

  test('a paused server makes calls UNAVAILABLE in time, and works again afterwards', async () => {
    await write('paused', 1, [keywordRow(1, 'apple')]);
    expect(await bothFind('paused')).toEqual([[1], [1]]);
    server.pause();
    try {
      const startedAt = performance.now();
      expect(await bothFind('paused')).toEqual([Code.Unavailable, Code.Unavailable]);
      expect(performance.now() - startedAt).toBeLessThan(timeoutMs * 3);
    } finally {
      server.resume();
    }
    await expect.poll(() => bothFind('paused'), { timeout: 30_000 }).toEqual([[1], [1]]);
  });

  test('cut connections and a killed server lose nothing that was acknowledged', async () => {
    for (let round = 1; round <= 3; round++) {
      await write('cut', round, [keywordRow(round, 'apple')]);
      if (round < 3) await server.dropConnections();
      else await server.kill();
      if (round === 3) await server.start();
      const expected = Array.from({ length: round }, (_, index) => index + 1);
      await expect
        .poll(async () => (await bothFind('cut', round)).map((keys) => Array.isArray(keys) && keys.toSorted()), {
          timeout: 30_000,
        })
        .toEqual([expected, expected]);
    }
  });

  test('the score of words is BM25 over the asked corpora, merged or not', async () => {
    const texts = ['apple pie', 'apple apple tart with cream', 'pear pie', 'plum'];
    for (const [index, text] of texts.entries()) await write('scored', 1, [keywordRow(index + 1, text)]);
    const words = texts.map((text) => text.split(' ').filter((word) => word !== 'with'));
    const mean = words.flat().length / texts.length;
    const idf = (frequency: number) => Math.log(1 + (texts.length - frequency + 0.5) / (frequency + 0.5));
    const saturated = (count: number, length: number) =>
      (count * 2.2) / (count + 1.2 * (0.25 + (0.75 * length) / mean));
    const expected = [
      [1, idf(2) * saturated(1, 2) + idf(2) * saturated(1, 2)],
      [2, idf(2) * saturated(2, words[1]?.length ?? 0)],
      [3, idf(2) * saturated(1, 2)],
    ].sort(([, a = 0], [, z = 0]) => z - a);
    for (const isMerged of [false, true]) {
      if (isMerged) await keywords.maintain('scored', 1, notAborted);
      const hits = await keywords.search('scored', { text: 'apple pie', scope: at(1), limit: 10 }, notAborted);
      expect(hits.map(({ key }) => key)).toEqual(expected.map(([key]) => key));
      for (const [index, { score }] of hits.entries()) expect(score).toBeCloseTo(expected[index]?.[1] ?? 0, 5);
    }
  });

  test('merges beside writes and searches change no answer, and remove the words of deleted rows', async () => {
    const client = await connectTo(url, 'ragmesh_retrieval');
    // Names of letters: a number would be split into words of its own.
    const name = (index: number) => `q${String(index).replaceAll(/\d/g, (digit) => 'bcdfghjklm'[Number(digit)] ?? '')}`;
    const rows = Array.from({ length: 300 }, (_, index) =>
      keywordRow(index + 1, `apple x${name(index % 40)} ${name(index)}`),
    );
    const isOver = new AbortController();
    const merging = (async () => {
      while (!isOver.signal.aborted) await keywords.maintain('merged', 1, notAborted);
    })();
    try {
      for (let from = 0; from < rows.length; from += 10) {
        await keywords.apply('merged', 1, {
          kind: 'replace',
          version: 1,
          documentIds: rows.slice(from, from + 10).map(({ documentId }) => documentId),
          rows: rows.slice(from, from + 10),
        });
        const hits = await keywords.search('merged', { text: 'apple', scope: at(1), limit: 500 }, notAborted);
        expect(hits.map(({ key }) => key).toSorted((a, z) => a - z)).toEqual(
          rows.slice(0, from + 10).map(({ key }) => key),
        );
      }
    } finally {
      isOver.abort();
      await merging;
    }
    const documentIds = rows.slice(100).map(({ documentId }) => documentId);
    await keywords.apply('merged', 1, { kind: 'purge', documentIds });
    await Promise.all([1, 2].map(() => keywords.maintain('merged', 1, notAborted)));
    const { rows: left } = await client.query<{ count: number }>(
      'SELECT count(DISTINCT entry >> 24)::int AS count FROM keyword_posting, unnest(entries) AS entry WHERE tenant = $1',
      [tenantId('merged')],
    );
    await client.end();
    expect(left).toEqual([{ count: 100 }]);
    const text = `${name(7)} x${name(3)}`;
    const hits = await keywords.search('merged', { text, scope: at(1), limit: 500 }, notAborted);
    expect(hits.map(({ documentId }) => documentId)).toEqual(['d8', 'd4', 'd44', 'd84']);
  });
});
