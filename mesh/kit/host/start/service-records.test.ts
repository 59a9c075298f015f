import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { EchoService } from '#gen/ragmesh/testing/v1/echo_pb.ts';
import { startTestMesh, type TestMesh } from '../../testing/mesh.ts';
import { defineService } from '../define-service.ts';

let mesh: TestMesh | undefined;
afterEach(async () => mesh?.close());

/** A service with one database, in which it notes each start. */
const keeper = (isDisposable: boolean, starts: number[]) =>
  defineService({
    name: 'keeper',
    contracts: [EchoService],
    config: () => ({}),
    needs: {},
    async create({ openDatabase }) {
      const db = await openDatabase<{ start: { id?: number; padding: string } }>('notes', {
        sqlite: ['CREATE TABLE start (id INTEGER PRIMARY KEY, padding TEXT NOT NULL)'],
        isDisposable,
      });
      for (let row = 0; row < 20; row++)
        await db
          .insertInto('start')
          .values({ padding: 'x'.repeat(2000) })
          .execute();
      const rows = await db.selectFrom('start').select('id').execute();
      starts.push(rows.length);
      return { impl: {}, close: async () => {} };
    },
  });

/** Starts, stops, damages the file, and starts again. */
async function startTwice(isDisposable: boolean, damage: (whole: Buffer) => Buffer, starts: number[] = []) {
  mesh = await startTestMesh([keeper(isDisposable, starts)]);
  const { dataDir } = mesh;
  await mesh.close(true);
  const path = `${dataDir}/keeper/notes.db`;
  writeFileSync(path, damage(readFileSync(path)));
  mesh = undefined;
  mesh = await startTestMesh([keeper(isDisposable, starts)], { dataDir });
  return { path, starts };
}

const damages: [string, (whole: Buffer) => Buffer][] = [
  ['garbage at its start', (whole) => Buffer.concat([Buffer.alloc(16, 7), whole.subarray(16)])],
  [
    'garbage in its pages',
    (whole) => Buffer.concat([whole.subarray(0, 8192), Buffer.alloc(whole.length - 8192, 0xa5)]),
  ],
  ['half of it missing', (whole) => whole.subarray(0, whole.length >> 1)],
];

test.each(damages)('records with %s stop the start, which names the file and what to do', async (_, damage) => {
  await expect(startTwice(false, damage)).rejects.toThrow(
    /keeper\/notes\.db is damaged \(.+\): restore it from a backup \("npm run restore"\), or move it away/,
  );
});

test.each(damages)('a store that can be made again, with %s, is moved away and made again', async (_, damage) => {
  const { path, starts } = await startTwice(true, damage);
  expect(starts).toEqual([20, 20]);
  expect(existsSync(`${path}.damaged`)).toBe(true);
});

test('only the account of the process can read the folder of a service', async () => {
  mesh = await startTestMesh([keeper(false, [])]);
  const path = `${mesh.dataDir}/keeper`;
  expect(statSync(path).mode & 0o777).toBe(0o700);
  await mesh.close(true);
  chmodSync(path, 0o755);
  mesh = await startTestMesh([keeper(false, [])], { dataDir: mesh.dataDir });
  expect(statSync(path).mode & 0o777).toBe(0o700);
});
