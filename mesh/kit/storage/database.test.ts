import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Database, openDatabase } from './database.ts';
import { createInsert } from './insert-rows.ts';
import { createSqliteThread, type SqliteThread } from './sqlite/thread.ts';

interface Schema {
  note: { id: number; text: string };
}

const migrations = ['CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT'];
let folder: string;
let thread: SqliteThread;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ragmesh-database-'));
  thread = createSqliteThread();
});
afterEach(async () => {
  await thread.close();
  rmSync(folder, { recursive: true });
});
const open = (steps = migrations) => openDatabase<Schema>(thread, join(folder, 'x.db'), steps);

test('a transaction is all or nothing, and others wait for it', async () => {
  const db = await open();
  const failing = db.transaction().execute(async (tx) => {
    await tx.insertInto('note').values({ id: 1, text: 'lost' }).execute();
    throw new Error('no');
  });
  const other = db.insertInto('note').values({ id: 2, text: 'kept' }).execute();
  await expect(failing).rejects.toThrow('no');
  await other;
  expect(await db.selectFrom('note').selectAll().execute()).toEqual([{ id: 2, text: 'kept' }]);
  await db.destroy();
});

test('migrations run once, in order; a database from the future is refused', async () => {
  await (await open()).destroy();
  const more = [
    ...migrations,
    'ALTER TABLE note ADD COLUMN lang TEXT;\nINSERT INTO note (id, text) VALUES (7, $$)'.replace('$$', "'x'"),
  ];
  const db = await open(more);
  expect(await db.selectFrom('note').selectAll().execute()).toEqual([{ id: 7, text: 'x', lang: null }]);
  await db.destroy();
  await expect(open()).rejects.toThrow(/newer than this program/);
});

test('what a commit acknowledged is there after the thread was killed', async () => {
  const db = await open();
  await db.insertInto('note').values({ id: 1, text: '留下' }).execute();
  await thread.close();
  await expect(db.selectFrom('note').selectAll().execute()).rejects.toThrow();
  thread = createSqliteThread();
  const again = await open();
  expect(await again.selectFrom('note').selectAll().execute()).toEqual([{ id: 1, text: '留下' }]);
  await again.destroy();
});

test('an error of SQLite comes back with its code', async () => {
  const db = await open();
  await db.insertInto('note').values({ id: 1, text: 'a' }).execute();
  const twice = db.insertInto('note').values({ id: 1, text: 'b' }).execute();
  await expect(twice).rejects.toMatchObject({ name: 'SqliteError', errcode: 1555 });
  await db.destroy();
});

test('rows of one shape are inserted in their order, whatever their number, and each gives what it returns', async () => {
  const db = await open();
  const insert = createInsert((on: Database<Schema>, row: Schema['note']) =>
    on
      .insertInto('note')
      .values(row)
      .onConflict((conflict) => conflict.doNothing())
      .returning('id'),
  );
  expect(await insert(db, [])).toEqual([]);
  expect(await insert(db, [{ id: 1, text: 'one' }])).toEqual([{ id: 1 }]);
  const rows = Array.from({ length: 500 }, (_, id) => (id % 2 === 0 ? { id, text: `${id}` } : { text: `${id}`, id }));
  expect(await insert(db, rows)).toEqual(rows.filter(({ id }) => id !== 1).map(({ id }) => ({ id })));
  const kept = await db.selectFrom('note').selectAll().orderBy('id').execute();
  expect(kept).toEqual(rows.map(({ id }) => ({ id, text: id === 1 ? 'one' : `${id}` })));
  await db.destroy();
});

test('if one of the rows is refused, none of a transaction is kept', async () => {
  const db = await open();
  const insert = createInsert((on: Database<Schema>, row: Schema['note']) => on.insertInto('note').values(row));
  const rows = [1, 2, 1].map((id) => ({ id, text: 'x' }));
  await expect(db.transaction().execute((tx) => insert(tx, rows))).rejects.toThrow('UNIQUE');
  expect(await db.selectFrom('note').selectAll().execute()).toEqual([]);
  await db.destroy();
});
