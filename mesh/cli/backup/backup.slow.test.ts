import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { durableSetup } from '#kit/storage/database.ts';
import { setFolderKey } from '#kit/storage/encryption/folder-keys.ts';
import { openSqlite } from '#kit/storage/sqlite/open.ts';
import { createSqliteThread } from '#kit/storage/sqlite/thread.ts';
import { backUp } from './backup.ts';
import { restoreFolder } from './restore.ts';

const silent = { update: () => {}, end: () => {} };
let folder: string;
let data: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ragmesh-backup-'));
  data = join(folder, 'data');
  mkdirSync(join(data, 'a'), { recursive: true });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const create = ['CREATE TABLE IF NOT EXISTS note (number INTEGER PRIMARY KEY, text TEXT NOT NULL)'];
const lastOf = (path: string): number => {
  const db = openSqlite(path, { readOnly: true });
  try {
    expect(db.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' });
    const { last, count } = db.prepare('SELECT max(number) AS last, count(*) AS count FROM note').get() as {
      last: number;
      count: number;
    };
    expect(last).toBe(count);
    return last;
  } finally {
    db.close();
  }
};

test.each(['plain', 'encrypted'])(
  'a backup of %s databases holds every one at the same instant, while both are written',
  async (kind) => {
    if (kind === 'encrypted') {
      const key = { database: randomBytes(32).toString('hex'), file: randomBytes(32) };
      for (const name of ['data', 'restored']) setFolderKey(join(folder, name), key);
    }
    const thread = createSqliteThread();
    const first = await thread.open({ path: join(data, 'a', 'first.db'), setup: [...durableSetup, ...create] });
    const second = await thread.open({ path: join(data, 'second.db'), setup: [...durableSetup, ...create] });
    let isDone = false;
    let written = 0;
    const writing = (async () => {
      while (!isDone) {
        const insert = { sql: 'INSERT INTO note VALUES (?, ?)', params: [written + 1, 'x'.repeat(2000)] };
        await first.transact([insert]);
        await second.transact([insert]);
        written++;
      }
    })();
    await expect.poll(() => written).toBeGreaterThan(20);
    const acknowledged = written;
    await backUp(data, join(folder, 'copy'), silent);
    isDone = true;
    await writing;
    await thread.close();
    await restoreFolder(join(folder, 'copy'), join(folder, 'restored'), silent);
    const [one, two] = [lastOf(join(folder, 'restored/a/first.db')), lastOf(join(folder, 'restored/second.db'))];
    // The writer fills the first before the second: at any instant it is at most one row ahead.
    expect(one - two === 0 || one - two === 1).toBe(true);
    expect(two).toBeGreaterThanOrEqual(acknowledged);
  },
);

test('a file to which lines are added while it is copied comes as it was at the instant', async () => {
  const [heads, empty] = [join(data, 'a', 'heads.jsonl'), join(data, 'empty.jsonl')];
  writeFileSync(heads, 'one\n');
  writeFileSync(empty, '');
  const added = () => {
    for (const path of [heads, empty]) appendFileSync(path, 'later\n');
  };
  await backUp(data, join(folder, 'copy'), { ...silent, update: added });
  await restoreFolder(join(folder, 'copy'), join(folder, 'restored'), silent);
  expect(readFileSync(join(folder, 'restored/a/heads.jsonl'), 'utf8')).toBe('one\n');
  expect(readFileSync(join(folder, 'restored/empty.jsonl'), 'utf8')).toBe('');
});

test('other files come with their permissions; locks, logs and the links of a killed backup do not', async () => {
  writeFileSync(join(data, 'a', 'keys.json'), '{}', { mode: 0o600 });
  writeFileSync(join(data, 'a', 'lock'), '');
  mkdirSync(join(data, '.backup-old'));
  writeFileSync(join(data, '.backup-old', '0'), 'old');
  const { files } = await backUp(data, join(folder, 'copy'), silent);
  expect(files.map(({ path }) => path)).toEqual(['a/keys.json']);
  await restoreFolder(join(folder, 'copy'), join(folder, 'restored'), silent);
  expect(statSync(join(folder, 'restored/a/keys.json')).mode & 0o777).toBe(0o600);
  expect(existsSync(join(data, '.backup-old'))).toBe(false);
});

test('a folder with content is never replaced, by neither command', async () => {
  writeFileSync(join(data, 'note.txt'), 'x');
  await expect(backUp(data, data, silent)).rejects.toThrow(/not empty/);
  await expect(backUp(data, join(data, 'copy'), silent)).rejects.toThrow(/inside the data folder/);
  await backUp(data, join(folder, 'copy'), silent);
  await expect(backUp(data, join(folder, 'copy'), silent)).rejects.toThrow(/not empty/);
  await expect(restoreFolder(join(folder, 'copy'), data, silent)).rejects.toThrow(/not empty/);
});

test('a damaged or incomplete backup is refused with the file, and leaves nothing', async () => {
  writeFileSync(join(data, 'note.txt'), 'content');
  await backUp(data, join(folder, 'copy'), silent);
  const manifest = readFileSync(join(folder, 'copy/backup.json'), 'utf8');
  const restored = join(folder, 'restored');
  const attempt = () => restoreFolder(join(folder, 'copy'), restored, silent);
  writeFileSync(join(folder, 'copy/note.txt'), 'contend');
  await expect(attempt()).rejects.toThrow(/note\.txt is damaged/);
  rmSync(join(folder, 'copy/note.txt'));
  await expect(attempt()).rejects.toThrow(/note\.txt is missing/);
  writeFileSync(join(folder, 'copy/backup.json'), manifest.replace('"note.txt"', '"../note.txt"'));
  await expect(attempt()).rejects.toThrow(/leaves the folder/);
  rmSync(join(folder, 'copy/backup.json'));
  await expect(attempt()).rejects.toThrow(/is not a backup/);
  expect(existsSync(restored)).toBe(false);
});

test('a writer that needs one database while it holds another is let through', async () => {
  for (const name of ['a.db', 'b.db']) {
    const db = new DatabaseSync(join(data, name));
    db.exec(`PRAGMA journal_mode = WAL; ${create[0]}`);
    db.close();
  }
  const writer = new Worker(
    `const { DatabaseSync } = require('node:sqlite');
     const { parentPort, workerData } = require('node:worker_threads');
     const [a, b] = ['a.db', 'b.db'].map((name) => new DatabaseSync(workerData + '/' + name, { timeout: 10_000 }));
     for (let round = 0; ; round++) {
       b.exec("BEGIN IMMEDIATE; INSERT INTO note (text) VALUES ('b')");
       a.exec("INSERT INTO note (text) VALUES ('a')");
       b.exec('COMMIT');
       if (round === 0) parentPort.postMessage('writing');
     }`,
    { eval: true, workerData: data },
  );
  try {
    await once(writer, 'message');
    await backUp(data, join(folder, 'copy'), silent, 120_000);
  } finally {
    await writer.terminate();
  }
  const [a, b] = [lastOf(join(folder, 'copy/a.db')), lastOf(join(folder, 'copy/b.db'))];
  expect(a - b).toBeOneOf([0, 1]);
}, 180_000);

test('a database that stays locked is an error, and nothing is copied', async () => {
  const db = new DatabaseSync(join(data, 'busy.db'));
  db.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (x); BEGIN IMMEDIATE');
  await expect(backUp(data, join(folder, 'copy'), silent, 50)).rejects.toThrow(/busy\.db: database is locked/);
  db.close();
  expect(readdirSync(folder)).toEqual(['data']);
});
