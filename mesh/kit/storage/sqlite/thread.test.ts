import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createSqliteThread, type SqliteConnection } from './thread.ts';

const open = async (): Promise<SqliteConnection> => {
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-sqlite-'));
  const thread = createSqliteThread();
  onTestFinished(async () => {
    await thread.close();
    rmSync(folder, { recursive: true });
  });
  const setup = ['CREATE TABLE wanted (id INTEGER)', 'CREATE VIRTUAL TABLE note USING fts5(text)'];
  return thread.open({ path: join(folder, 'x.db'), setup });
};
const insert = (rowCount: number) => ({
  sql: 'INSERT INTO note (rowid, text) VALUES (?, ?)',
  params: Array.from({ length: rowCount }, (_, index) => [index + 1, `old ${index + 1}`]).flat(),
  rowCount,
});

test('a statement runs once for each row of a query, with its columns after the parameters', async () => {
  const db = await open();
  await db.transact([insert(4), { sql: 'INSERT INTO wanted VALUES (?)', params: [2, 4, 9], rowCount: 3 }]);
  const [updated] = await db.transact([
    {
      sql: 'UPDATE note SET text = ? WHERE rowid = ?',
      params: ['new'],
      forEach: { sql: 'SELECT id FROM wanted WHERE id > ?', params: [1] },
    },
  ]);
  expect(updated?.changes).toBe(2);
  expect((await db.all('SELECT text FROM note ORDER BY rowid')).map(({ text }) => text)).toEqual([
    ...['old 1', 'new', 'old 3', 'new'],
  ]);
});

test('the query is read to its end before the statement changes its table', async () => {
  const db = await open();
  await db.transact([insert(3)]);
  const sql = 'DELETE FROM note WHERE rowid >= ?';
  const [deleted] = await db.transact([{ sql, params: [], forEach: { sql: 'SELECT rowid FROM note', params: [] } }]);
  expect(deleted?.changes).toBe(3);
  expect(await db.all('SELECT * FROM note')).toEqual([]);
});

test('a query without rows changes nothing', async () => {
  const db = await open();
  await db.transact([insert(1)]);
  const forEach = { sql: 'SELECT id FROM wanted', params: [] };
  const [deleted] = await db.transact([{ sql: 'DELETE FROM note WHERE rowid = ?', params: [], forEach }]);
  expect(deleted).toEqual({ rows: [], changes: 0, lastInsertRowid: 0 });
});
