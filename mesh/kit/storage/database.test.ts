import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openDatabase } from './database.ts';
import { createSqliteThread, type SqliteThread } from './sqlite/thread.ts';
import { databaseSuite, type NoteSchema, noteMigrations } from './suites/database.suite.ts';

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
const open = (steps: readonly string[] = noteMigrations.sqlite) =>
  openDatabase<NoteSchema>(thread, join(folder, 'x.db'), steps);

databaseSuite('SQLite', ({ sqlite }) => open(sqlite));

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
