import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import { hasPostgres, postgresAdvice, startPostgres, type TestPostgres } from '#kit/testing/postgres.ts';
import { skipped } from '#kit/testing/server.ts';
import { adapter as keywordAdapter } from '../adapters/keyword-store/sqlite/index.ts';
import { adapter as vectorAdapter } from '../adapters/vector-store/sqlite/index.ts';
import { createSnapshots, type Snapshots } from '../snapshots/snapshots.ts';
import type { EmbeddedStoreDeps } from '../sqlite/embedded-store.ts';
import { createSqliteThreads } from '../sqlite/threads.ts';
import { keywordLeakSuite, vectorLeakSuite } from '../suites/leak.suite.ts';
import { openPool, openPostgresEngine } from '../testing/postgres.ts';
import { createSureSnapshots } from '../testing/snapshots.ts';

// The embedded stores, by SQLite and by copies in memory. They need no server; the questions take too long for `npm test`.

const opening =
  <S extends { close(): Promise<void> }>(
    create: (deps: EmbeddedStoreDeps) => S | Promise<S>,
    newSnapshots: () => Snapshots,
  ) =>
  async (): Promise<S> => {
    const folder = mkdtempSync(join(tmpdir(), 'ragmesh-leaks-'));
    const threads = createSqliteThreads(2);
    const store = await create({ folder, threads, snapshots: newSnapshots() });
    return {
      ...store,
      async close() {
        await store.close();
        await threads.close();
        rmSync(folder, { recursive: true, force: true });
      },
    };
  };
const inFiles = () => createSnapshots(0);

vectorLeakSuite(
  'sqlite',
  opening((deps) => vectorAdapter.create({}, deps), inFiles),
);
vectorLeakSuite(
  'sqlite in memory',
  opening((deps) => vectorAdapter.create({}, deps), createSureSnapshots),
);
keywordLeakSuite(
  'sqlite',
  opening((deps) => keywordAdapter.create({}, deps), inFiles),
);
keywordLeakSuite(
  'sqlite in memory',
  opening((deps) => keywordAdapter.create({}, deps), createSureSnapshots),
);

// The catalog assigns the numbers of access lists, documents and versions, whatever the store.
describe.skipIf(!hasPostgres && skipped('postgres', 1, postgresAdvice))('over a catalog in PostgreSQL', () => {
  let server: TestPostgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server[Symbol.asyncDispose]());
  keywordLeakSuite(
    'sqlite',
    opening((deps) => keywordAdapter.create({}, deps), inFiles),
    async () => openPostgresEngine(await openPool(await server.createDatabase())),
  );
});
