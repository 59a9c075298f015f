import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { createCatalog } from '../catalog.ts';
import { type CatalogStatement, isRowsInsert } from './sql.ts';
import { toStatement } from './sqlite.ts';
import { sqliteMigrations } from './sqlite-schema.ts';

// Runs a part of the catalog on a database without rows, and returns how SQLite reads the tables of documents and chunks.
async function readsOf(work: (catalog: ReturnType<typeof createCatalog>) => Promise<unknown>): Promise<string[]> {
  const db = new DatabaseSync(':memory:');
  for (const migration of sqliteMigrations) db.exec(migration);
  const reads: string[] = [];
  const explain = (statement: CatalogStatement) => {
    if (isRowsInsert(statement)) return;
    const { sql, params } = toStatement(statement);
    const steps = db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...params);
    reads.push(
      ...steps.map(({ detail }) => String(detail)).filter((step) => /(document|chunk|newest) USING/.test(step)),
    );
  };
  const read = async (_tenant: string, query: CatalogStatement) => {
    explain(query);
    return [];
  };
  const tables = {
    read,
    scan: read,
    write: async (_tenant: string, statements: readonly CatalogStatement[]) => {
      for (const statement of statements) explain(statement);
      return [];
    },
    stamp: () => undefined,
    scrub: async () => {},
  };
  const changes = {
    isShared: false,
    currentState: async () => '',
    exclusive: <T>(_tenant: string, _signal: AbortSignal, run: () => Promise<T>) => run(),
    requireTurn: () => {},
    watch: () => {},
  };
  await work(createCatalog({ tables, changes, close: async () => {} }, () => 0));
  db.close();
  return reads;
}

const space = { model: 'm', dimensions: 8 };
const record = { key: 1, title: '', url: '', aclId: 1, contentHash: new Uint8Array(), chunks: [] };

test('a change of documents reads those documents, not the version', async () => {
  const ids = ['d1', 'd2'];
  const reads = await readsOf(async ({ documents }) => {
    const records = ids.map((documentId) => ({ ...record, documentId }));
    await documents.replace('acme', 1, 3, space, records);
    await documents.confirm('acme', 1, 3, ids);
    await documents.countDocuments('acme', 1, 3, ids);
    await documents.findAnywhere('acme', 1, ids);
    await documents.beginPurge('acme', 1, ids);
  });
  expect(reads.length).toBeGreaterThan(8);
  for (const read of reads) expect(read).toMatch(/document_id=\?|chunk_document \(document=\?\)/);
});

test('a publish reads the documents that its version has written, and those that dropped versions have left', async () => {
  const reads = await readsOf(async ({ versions }) => {
    await versions.publish('acme', 1, 3, 0, [1]);
    await versions.sweep('acme', 1, 2, 3, false);
  });
  expect(reads.length).toBeGreaterThan(4);
  for (const read of reads) {
    expect(read).toMatch(/document_id=\?|removed_in=\? AND added_in=\?|removed_in>\?|removed_in<\?|chunk_document/);
  }
});
