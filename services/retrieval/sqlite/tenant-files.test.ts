import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTenantFiles, fileNameOf } from './tenant-files.ts';
import { createSqliteThreads, type SqliteThreads } from './threads.ts';

let threads: SqliteThreads;
let folder: string;
beforeAll(() => {
  threads = createSqliteThreads(2);
  folder = mkdtempSync(join(tmpdir(), 'ragmesh-files-'));
});
afterAll(async () => {
  await threads.close();
  rmSync(folder, { recursive: true, force: true });
});
const notAborted = new AbortController().signal;
const migrations = ['CREATE TABLE note (text TEXT NOT NULL)'];
const write = (text: string) => [{ sql: 'INSERT INTO note VALUES (?)', params: [text] }];
const readAll = { sql: 'SELECT text FROM note', params: [] };

describe('a file name', () => {
  test('differs for every tenant, even if the file system ignores case', () => {
    const tenant = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,20}$/);
    fc.assert(
      fc.property(tenant, tenant, (a, b) => {
        expect(fileNameOf(a)).toMatch(/^t-[a-z0-9_-]+$/);
        expect(fileNameOf(a) === fileNameOf(b)).toBe(a === b);
      }),
    );
    expect(fileNameOf('Acme')).toBe('t-_41cme');
    expect(fileNameOf('../x')).toBe('t-_2e_2e_2fx');
  });
});

describe('tenants', () => {
  test('keep their rows apart, and are remembered when their connections were closed for others', async () => {
    const files = createTenantFiles({ folder: join(folder, 'many'), name: 'store', threads, migrations, maxOpen: 2 });
    const tenants = Array.from({ length: 8 }, (_, index) => `tenant-${index}`);
    await Promise.all(tenants.map((tenant) => files.write(tenant, write(tenant))));
    for (let round = 0; round < 2; round++) {
      const texts = await Promise.all(tenants.map((tenant) => files.read(tenant, readAll, notAborted)));
      expect(texts.map((rows) => rows.map(({ text }) => text))).toEqual(tenants.map((tenant) => [tenant]));
    }
    await files.close();
  });

  test('who were never written to are empty, and get no file', async () => {
    const files = createTenantFiles({ folder: join(folder, 'none'), name: 'store', threads, migrations });
    expect(files.has('nobody')).toBe(false);
    expect(await files.read('nobody', readAll, notAborted)).toEqual([]);
    expect(readdirSync(join(folder, 'none'))).toEqual([]);
    await files.close();
  });

  test('see all of a transaction or nothing of it', async () => {
    const files = createTenantFiles({ folder: join(folder, 'all'), name: 'store', threads, migrations });
    await expect(
      files.write('a', [...write('x'), { sql: 'INSERT INTO note VALUES (NULL)', params: [] }]),
    ).rejects.toThrow('internal error');
    expect(await files.read('a', readAll, notAborted)).toEqual([]);
    await files.close();
  });
});

test('a query that waits for a thread is not begun once it was given up', async () => {
  const busy = createSqliteThreads(1);
  const { promise: free, resolve: release } = Promise.withResolvers<void>();
  const begun: number[] = [];
  const controller = new AbortController();
  const run = (number: number, signal = notAborted) =>
    busy.read(signal, async () => {
      begun.push(number);
      await free;
      return number;
    });
  const first = [run(1), run(2)];
  const waiting = run(3, controller.signal);
  const next = run(4);
  const reason = new Error('gone');
  controller.abort(reason);
  await expect(waiting).rejects.toBe(reason);
  release();
  expect(await Promise.all([...first, next])).toEqual([1, 2, 4]);
  expect(begun).toEqual([1, 2, 4]);
  await expect(run(5, AbortSignal.abort(reason))).rejects.toBe(reason);
  await busy.close();
});
