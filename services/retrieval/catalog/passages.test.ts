import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { seededRandom } from '#kit/statistics/bootstrap.ts';
import { createSqliteThreads, type SqliteThreads } from '../sqlite/threads.ts';
import { type Catalog, createCatalog } from './catalog.ts';
import { createSqliteEngine } from './engines/sqlite.ts';
import type { CatalogEngine } from './engines/tables.ts';
import { createPassageCatalog } from './passages.ts';
import { createRecentPassages } from './recent-passages.ts';

// The catalog of passages over files, beside one that remembers nothing: what is answered from memory must be what the files hold.

const tenant = 'acme';
const corpusId = 1;
const space = { model: 'words', dimensions: 2 };
const { signal } = new AbortController();
const folder = mkdtempSync(join(tmpdir(), 'ragmesh-passages-'));
let threads: SqliteThreads;
let engine: CatalogEngine;
let catalog: Catalog;
let queryCount = 0;
/** Runs when a query has been sent. */
let onQuery = async () => {};
/** Runs when a write has begun, before it is sent. */
let onWrite = async () => {};

beforeAll(async () => {
  threads = createSqliteThreads(2);
  const files = createSqliteEngine(join(folder, 'catalog'), heldUp(threads));
  const { tables } = files;
  engine = {
    ...files,
    tables: {
      ...tables,
      async read(...query) {
        queryCount++;
        const rows = tables.read(...query);
        await onQuery();
        return rows;
      },
    },
  };
  catalog = createCatalog(engine, seededRandom(1));
  await catalog.versions.createCorpus(tenant, 'help');
  await catalog.numbers.aclIdsOf(tenant, [['a'], ['b']]);
});
afterAll(async () => {
  await catalog.close();
  await threads.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Returns threads whose writes wait for {@link onWrite}. */
function heldUp({ writer, read, readerCount, close }: SqliteThreads): SqliteThreads {
  const open: typeof writer.open = async (options) => {
    const connection = await writer.open(options);
    const transact: typeof connection.transact = async (statements) => {
      await onWrite();
      return connection.transact(statements);
    };
    return { ...connection, transact };
  };
  return { read, readerCount, close, writer: { pendingCount: 0, close: () => writer.close(), open } };
}

const documentIds = ['d1', 'd2', 'd3', 'd4', 'd5', 'd6'];
let lastKey = 0;

const documentOf = (documentId: string, aclId: number) => ({
  ...{ key: ++lastKey, documentId, title: '', url: '', aclId, contentHash: new Uint8Array() },
  chunks: [0, 1].map((ordinal) => ({
    ...{ key: ++lastKey, chunkId: `${documentId}#${ordinal}`, ordinal, language: 0, startOffset: 0, endOffset: 1 },
    ...{ headingPath: [], text: `${documentId} ${lastKey}` },
  })),
});
const scopeOf = (version: number, ...aclIds: number[]) => ({ corpora: [{ corpusId, version }], aclIds });
const allKeys = () => Array.from({ length: lastKey }, (_, index) => index + 1);

/** The keys of the passages that a catalog returns. */
async function seenBy({ passages }: Pick<Catalog, 'passages'>, scope: ReturnType<typeof scopeOf>): Promise<number[]> {
  const records = await passages.read(tenant, allKeys(), scope, signal);
  return records.map(({ key }) => key).sort((a, b) => a - b);
}

const forgetful = () => ({ passages: createPassageCatalog(engine.tables, createRecentPassages(1)) });

async function begin(version: number): Promise<void> {
  const build = { version, base: version - 1, buildId: `build-${version}`, begunMs: 0 };
  await catalog.versions.begin(tenant, corpusId, { ...build, ...space });
}

test('reads after any changes are those of the files, for every reader and version', async () => {
  const random = seededRandom(Number(process.env.RAGMESH_TEST_SEED ?? 7));
  const some = () => documentIds.filter(() => random() < 0.4);
  let version = 1;
  await begin(version);
  const changes = [
    () =>
      catalog.documents.replace(
        tenant,
        corpusId,
        version,
        space,
        some().map((id) => documentOf(id, random() < 0.5 ? 1 : 2)),
      ),
    () => catalog.documents.remove(tenant, corpusId, version, some()),
    () => catalog.documents.beginPurge(tenant, corpusId, some().slice(0, 1)),
    async () => {
      await catalog.versions.publish(tenant, corpusId, version, 0, []);
      await begin(++version);
    },
    () => catalog.versions.rollback(tenant, corpusId, Math.max(1, version - 1)),
  ];
  let passageCount = 0;
  for (let step = 0; step < 80; step++) {
    await changes[Math.floor(random() * changes.length)]?.();
    for (const scope of [scopeOf(version, 1), scopeOf(version - 1, 1, 2), scopeOf(version, 2), scopeOf(version)]) {
      const held = await seenBy(forgetful(), scope);
      // Twice: from the files, and from memory.
      expect([await seenBy(catalog, scope), await seenBy(catalog, scope)]).toEqual([held, held]);
      passageCount += held.length;
    }
  }
  expect(passageCount).toBeGreaterThan(300);
});

test('a passage that was read is read again without a query, until a row of the tenant changes', async () => {
  await catalog.documents.replace(tenant, corpusId, 1, space, [documentOf('d1', 1)]);
  const keys = [lastKey - 1, lastKey];
  const read = async (...aclIds: number[]) => {
    queryCount = 0;
    const found = await catalog.passages.read(tenant, keys, scopeOf(1, ...aclIds), signal);
    return [found.length, queryCount];
  };
  expect([await read(1), await read(1), await read(2), await read(2, 1)]).toEqual([
    [2, 1],
    [2, 0],
    [0, 0],
    [2, 0],
  ]);
  await catalog.documents.confirm(tenant, corpusId, 1, ['d1']);
  expect([await read(1), await read(1)]).toEqual([
    [2, 1],
    [2, 0],
  ]);
});

test('what a read finds while a document is deleted is not remembered', async () => {
  await catalog.documents.replace(tenant, corpusId, 1, space, [documentOf('d2', 1)]);
  const keys = [lastKey - 1, lastKey];
  const read = async () => (await catalog.passages.read(tenant, keys, scopeOf(1, 1), signal)).length;
  // The rows leave the file before the deletion, and reach the reader after it.
  onQuery = () => catalog.documents.remove(tenant, corpusId, 1, ['d2']);
  await read();
  onQuery = async () => {};
  expect(await read()).toBe(0);
});

test('what a read finds while a deletion is on its way to the file is not remembered', async () => {
  await catalog.documents.replace(tenant, corpusId, 1, space, [documentOf('d3', 1)]);
  const keys = [lastKey - 1, lastKey];
  const read = async () => (await catalog.passages.read(tenant, keys, scopeOf(1, 1), signal)).length;
  let before = 0;
  onWrite = async () => {
    before = await read();
  };
  // A purge would also take the text out of memory.
  await catalog.documents.remove(tenant, corpusId, 1, ['d3']);
  onWrite = async () => {};
  expect([before, await read()]).toEqual([2, 0]);
});

test('nothing is answered from memory while a write runs', async () => {
  await catalog.documents.replace(tenant, corpusId, 1, space, [documentOf('d4', 1)]);
  const keys = [lastKey - 1, lastKey];
  const read = () => catalog.passages.read(tenant, keys, scopeOf(1, 1), signal);
  await read();
  queryCount = 0;
  onWrite = async () => void (await read());
  await catalog.documents.confirm(tenant, corpusId, 1, ['d4']);
  onWrite = async () => {};
  expect(queryCount).toBe(1);
});
