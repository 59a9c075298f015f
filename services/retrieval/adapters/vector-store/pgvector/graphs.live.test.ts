import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { seededRandom } from '#kit/statistics/bootstrap.ts';
import { connectTo, startPostgres, type TestPostgres } from '#kit/testing/postgres.ts';
import { skipped } from '#kit/testing/server.ts';
import type { RowFilter, SearchScope } from '../../../stores/index-row.ts';
import { toUnitVector } from '../../../stores/unit-vector.ts';
import type { VectorRow, VectorStore } from '../../../stores/vector-store.ts';
import { settingsOf } from '../../../suites/store-server.suite.ts';
import { hasPgvector, pgvectorAdvice } from '../../../testing/pgvector.ts';
import { adapter } from './index.ts';

vi.setConfig({ testTimeout: 120_000 });

const space = { model: 'm', dimensions: 32 };
const notAborted = new AbortController().signal;
const rowCount = 6000;

describe.skipIf(!hasPgvector && skipped('pgvector', 8, pgvectorAdvice))('a tenant with many rows', () => {
  const random = seededRandom(5);
  let server: TestPostgres;
  let store: VectorStore;
  let client: pg.Client;

  const anyVector = () => {
    const components = Float32Array.from({ length: space.dimensions }, () => random() + random() + random() - 1.5);
    return toUnitVector(components) as Float32Array<ArrayBuffer>;
  };
  // One row in ten has the access list 2, and one in a hundred the language 3.
  const anyRow = (key: number): VectorRow => ({
    key,
    chunkId: `c${key}`,
    documentId: `d${key}`,
    aclId: key % 10 === 0 ? 2 : 1,
    language: key % 100 === 50 ? 3 : 1,
    updatedMs: key,
    attributes: {},
    vector: anyVector(),
  });
  const rows = Array.from({ length: rowCount }, (_, index) => anyRow(index + 1));
  const write = (tenant: string, version: number, written: VectorRow[], corpusId = 1) =>
    store.apply(tenant, corpusId, space, {
      kind: 'replace',
      version,
      documentIds: written.map(({ documentId }) => documentId),
      rows: written,
    });
  const noFilter: RowFilter = {
    documentIds: [],
    languages: [],
    attributes: [],
    updatedFromMs: undefined,
    updatedBeforeMs: undefined,
  };
  const at = (version: number, scope: Partial<SearchScope> = {}): SearchScope => ({
    corpora: [{ corpusId: 1, version }],
    aclIds: [1, 2],
    filter: undefined,
    ...scope,
  });
  const find = async (vector: Float32Array<ArrayBuffer>, scope = at(1), limit = 10) =>
    (await store.search('large', { space, vector, scope, limit }, notAborted)).map(({ key }) => key);
  const graphsOf = async (): Promise<{ name: string; valid: boolean; scanCount: number; definition: string }[]> => {
    const { rows: found } = await client.query(`
      SELECT indexrelid::regclass::text AS name, indisvalid AS valid, pg_get_indexdef(indexrelid) AS definition,
        pg_stat_get_numscans(indexrelid)::int AS "scanCount"
      FROM pg_index WHERE indexrelid::regclass::text LIKE '%graph_%'`);
    return found;
  };
  const cosine = (a: Float32Array, z: Float32Array) =>
    a.reduce((sum, value, index) => sum + value * (z[index] ?? 0), 0);

  beforeAll(async () => {
    server = await startPostgres();
    const url = await server.createDatabase();
    store = await adapter.create(settingsOf(adapter, { url, exact_rows: 2000 }), {});
    client = await connectTo(url, 'ragmesh_retrieval');
    await write('large', 1, rows);
    await write('small', 1, rows.slice(0, 500));
    for (const tenant of ['large', 'small']) await store.maintain(tenant, 1, notAborted);
  });
  afterAll(async () => {
    await client.end();
    await store.close();
    await server[Symbol.asyncDispose]();
  });

  test('has a graph of its own rows alone, and a small one has none', async () => {
    const graphs = await graphsOf();
    expect(graphs).toMatchObject([{ valid: true }]);
    expect(graphs[0]?.definition).toMatch(
      /hnsw .*halfvec\(32\).*WHERE \(\(tenant = '[0-9a-f-]{36}'::uuid\) AND \(space = /,
    );
    const { rows: counted } = await client.query<{ count: string }>(
      `SELECT count(*) FROM vector_row WHERE ${/WHERE (.*)$/.exec(graphs[0]?.definition ?? '')?.[1]}`,
    );
    expect(Number(counted[0]?.count)).toBe(rowCount);
  });

  test.each([
    ['no condition', {}, () => true],
    ['an access list that one row in ten has', { aclIds: [2] }, ({ aclId }: VectorRow) => aclId === 2],
    [
      'a language that one row in a hundred has',
      { filter: { ...noFilter, languages: [3] } },
      (row: VectorRow) => row.language === 3,
    ],
    [
      'a time that ten rows have',
      { filter: { ...noFilter, updatedBeforeMs: 11 } },
      (row: VectorRow) => (row.updatedMs ?? 0) < 11,
    ],
  ] as const)(
    'is searched under %s: no row that passes is lost, and the hits are the nearest',
    async (_name, scope, passes) => {
      const passing = rows.filter(passes);
      let [found, wanted] = [0, 0];
      for (let question = 0; question < 15; question++) {
        const vector = anyVector();
        const hits = await store.search('large', { space, vector, scope: at(1, scope), limit: 20 }, notAborted);
        expect(hits).toHaveLength(Math.min(20, passing.length));
        const nearest = passing.toSorted((a, z) => cosine(z.vector, vector) - cosine(a.vector, vector)).slice(0, 20);
        const keys = new Set(nearest.map(({ key }) => key));
        for (const [index, { key, score }] of hits.entries()) {
          expect(score).toBeCloseTo(cosine((rows[key - 1] as VectorRow).vector, vector), 5);
          expect(score).toBeLessThanOrEqual(hits[index - 1]?.score ?? 1);
          if (keys.has(key)) found++;
        }
        wanted += nearest.length;
      }
      expect(found / wanted).toBeGreaterThanOrEqual(0.98);
    },
  );

  test('is searched by the graph', async () => {
    await find(anyVector());
    await expect.poll(async () => (await graphsOf())[0]?.scanCount, { timeout: 20_000 }).toBeGreaterThan(0);
  });

  test('finds what was written after its graph, and nothing that was deleted or may not be seen any more', async () => {
    const [written, purged, closed] = [anyRow(rowCount + 1), rows[0] as VectorRow, rows[1] as VectorRow];
    await write('large', 2, [written]);
    expect((await find(written.vector, at(2)))[0]).toBe(written.key);
    expect(await find(written.vector, at(1))).not.toContain(written.key);
    await store.apply('large', 1, undefined, { kind: 'purge', documentIds: [purged.documentId] });
    expect(await find(purged.vector)).not.toContain(purged.key);
    const { documentId } = closed;
    await store.apply('large', 1, undefined, { kind: 'access', version: 2, documentIds: [documentId], aclId: 9 });
    expect(await find(closed.vector)).not.toContain(closed.key);
    expect(await find(closed.vector, at(2, { aclIds: [9] }))).toEqual([closed.key]);
  });

  test('has its graph again after an interrupted build, and none when it has few rows', async () => {
    const [before] = await graphsOf();
    await client.query(`UPDATE pg_index SET indisvalid = false WHERE indexrelid = $1::regclass`, [before?.name]);
    await Promise.all([1, 2].map(() => store.maintain('large', 1, notAborted)));
    expect(await graphsOf()).toMatchObject([{ valid: true }]);
    const documentIds = rows.slice(500).map((row) => row.documentId);
    await store.apply('large', 1, undefined, { kind: 'purge', documentIds });
    await store.maintain('large', 1, notAborted);
    expect(await graphsOf()).toEqual([]);
    const wanted = rows[3] as VectorRow;
    expect((await find(wanted.vector, at(1, { aclIds: [1, 2, 9] })))[0]).toBe(wanted.key);
  });
});
