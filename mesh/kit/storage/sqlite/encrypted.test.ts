import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openDatabase } from '../database.ts';
import { setFolderKey } from '../encryption/folder-keys.ts';
import { lockFolder } from '../files/folder-lock.ts';
import { databaseSuite, type NoteSchema, noteMigrations } from '../suites/database.suite.ts';
import { isUniqueViolation } from '../unique-violation.ts';
import { isDamage } from './damage.ts';
import { decryptDatabase, encryptDatabase } from './encrypted.ts';
import { openSqlite } from './open.ts';
import { createSqliteThread, type SqliteThread } from './thread.ts';

let folder: string;
let thread: SqliteThread;
const newKey = () => ({ database: randomBytes(32).toString('hex'), file: new Uint8Array(32) });
let key: ReturnType<typeof newKey>;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ragmesh-encrypted-'));
  key = newKey();
  setFolderKey(folder, key);
  thread = createSqliteThread();
});
afterEach(async () => {
  await thread.close();
  rmSync(folder, { recursive: true });
});
const open = (steps: readonly string[] = noteMigrations.sqlite) =>
  openDatabase<NoteSchema>(thread, join(folder, 'x.db'), steps);
const filesWith = (text: string) =>
  readdirSync(folder).filter((name) => readFileSync(join(folder, name)).includes(text));

databaseSuite('encrypted SQLite', ({ sqlite }) => open(sqlite));

test('no file of a database has its content or its schema, before and after its log is written into it', async () => {
  const db = await open();
  await db
    .insertInto('note')
    .values({ id: 1, text: 'planted-value '.repeat(2000) })
    .execute();
  for (const text of ['planted-value', 'CREATE TABLE', 'SQLite format 3']) expect(filesWith(text)).toEqual([]);
  await db.destroy();
  for (const text of ['planted-value', 'CREATE TABLE', 'SQLite format 3']) expect(filesWith(text)).toEqual([]);
});

test('words and vectors are searched in an encrypted database, beside an open iteration', () => {
  const extension = (createRequire(import.meta.url)('sqlite-vec') as { getLoadablePath(): string }).getLoadablePath();
  const db = openSqlite(join(folder, 'search.db'), { extensions: [extension] });
  db.exec('CREATE VIRTUAL TABLE word USING fts5(text); CREATE VIRTUAL TABLE near USING vec0(embedding float[2])');
  for (const id of [1n, 2n, 3n]) {
    db.prepare('INSERT INTO word (rowid, text) VALUES (?, ?)').run(id, `number ${id}`);
    db.prepare('INSERT INTO near (rowid, embedding) VALUES (?, ?)').run(
      id,
      new Uint8Array(new Float32Array([Number(id), 0]).buffer),
    );
  }
  const found: unknown[] = [];
  const one = db.prepare('SELECT text FROM word WHERE rowid = ?');
  const wanted = new Uint8Array(new Float32Array([2.9, 0]).buffer);
  for (const { rowid } of db.prepare('SELECT rowid FROM near WHERE embedding MATCH ? AND k = 2').iterate(wanted)) {
    found.push(one.get(rowid as number)?.text);
  }
  expect(found).toEqual(['number 3', 'number 2']);
  const arrays = db.prepare('SELECT rowid, text FROM word WHERE text MATCH ?');
  arrays.setReturnArrays(true);
  arrays.setReadBigInts(true);
  expect(arrays.all('2')).toEqual([[2n, 'number 2']]);
  db.close();
});

test('errors have the numbers of SQLite: unique keys, locks, damage', async () => {
  const db = await open();
  await db.insertInto('note').values({ id: 1, text: 'a' }).execute();
  const twice = await db
    .insertInto('note')
    .values({ id: 1, text: 'b' })
    .execute()
    .catch((error: unknown) => error);
  expect(isUniqueViolation(twice)).toBe(true);
  await db.destroy();
  const held = await lockFolder(thread, folder, 'test');
  const other = createSqliteThread();
  await expect(lockFolder(other, folder, 'test')).rejects.toThrow('another process runs "test"');
  await held.close();
  await other.close();
  setFolderKey(folder, newKey());
  const later = createSqliteThread();
  const error = await openDatabase(later, join(folder, 'x.db'), []).catch((caught: unknown) => caught);
  expect(isDamage(error)).toBe(true);
  await later.close();
});

test('a database is encrypted and decrypted in its place', () => {
  const outside = mkdtempSync(join(tmpdir(), 'ragmesh-plain-'));
  const path = join(outside, 'x.db');
  const plain = openSqlite(path);
  plain.exec(`PRAGMA journal_mode = WAL; CREATE TABLE note (text); INSERT INTO note VALUES ('planted-value')`);
  plain.close();
  encryptDatabase(path, key.database);
  expect(readFileSync(path).includes('planted-value')).toBe(false);
  expect(() => openSqlite(path).prepare('SELECT * FROM note')).toThrow('not a database');
  decryptDatabase(path, key.database);
  const again = openSqlite(path, { readOnly: true });
  expect(again.prepare('SELECT text FROM note').all()).toEqual([{ text: 'planted-value' }]);
  again.close();
  rmSync(outside, { recursive: true });
});
