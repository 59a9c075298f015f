import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Database, type Migrations, openDatabase } from '#kit/storage/database.ts';
import { createSqliteThread, type SqliteThread } from '#kit/storage/sqlite/thread.ts';
import { answerOf, answerStoreSuite, keyOf } from '../../suites/answer-store.suite.ts';
import { storeDeps } from '../../testing/cache.ts';
import { adapter } from './sqlite.ts';

let folder: string;
let thread: SqliteThread;
let fileCount = 0;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ragmesh-answers-'));
  thread = createSqliteThread();
});
afterAll(async () => {
  await thread.close();
  rmSync(folder, { recursive: true, force: true });
});

async function open(path: string, maxBytes: number) {
  let nowMs = 1_000_000;
  const opened: Database<unknown>[] = [];
  const store = await adapter.create(
    {},
    storeDeps({
      maxBytes,
      clock: () => nowMs,
      async openDatabase<Schema>(_name: string, { sqlite }: Migrations) {
        const database = await openDatabase<Schema>(thread, path, sqlite);
        opened.push(database as Database<unknown>);
        return database;
      },
    }),
  );
  return {
    store,
    advance: (ms: number) => {
      nowMs += ms;
    },
    now: () => nowMs,
    close: async () => {
      await store.close();
      for (const database of opened) await database.destroy();
    },
  };
}

const newPath = () => join(folder, `${++fileCount}.db`);

answerStoreSuite('sqlite', (maxBytes) => open(newPath(), maxBytes));

test('answers and the order of their use outlive the process', async () => {
  const path = newPath();
  const first = await open(path, 5000);
  for (const number of [1, 2]) await first.store.put(answerOf({ nowMs: first.now(), key: keyOf(number) }));
  await first.store.get('acme', keyOf(1));
  await first.close();
  const second = await open(path, (await sizeOfTwo()) + 100);
  expect(await second.store.usage('acme')).toMatchObject({ entryCount: 2 });
  await second.store.put(answerOf({ nowMs: second.now(), key: keyOf(3) }));
  expect(await second.store.get('acme', keyOf(2))).toBeUndefined();
  expect(await second.store.get('acme', keyOf(1))).toBeDefined();
  await second.close();
});

async function sizeOfTwo() {
  const probe = await open(newPath(), 1_000_000);
  for (const number of [1, 2]) await probe.store.put(answerOf({ nowMs: probe.now(), key: keyOf(number) }));
  const { sizeBytes } = await probe.store.usage('acme');
  await probe.close();
  return sizeBytes;
}

test('room for a large answer is made at the expense of as many small ones as it takes', async () => {
  const { store, now, close } = await open(newPath(), 700_000);
  for (let number = 0; number < 1000; number++) await store.put(answerOf({ nowMs: now(), key: keyOf(number + 1) }));
  await store.put(answerOf({ nowMs: now(), key: keyOf(5000), value: new Uint8Array(600_000) }));
  expect(await store.get('acme', keyOf(5000))).toBeDefined();
  const { sizeBytes, entryCount } = await store.usage('acme');
  expect(sizeBytes).toBeLessThanOrEqual(700_000);
  expect(entryCount).toBeGreaterThan(50);
  await close();
});
