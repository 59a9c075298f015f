import { afterAll, beforeAll, describe } from 'vitest';
import { hasPostgres, postgresAdvice, startPostgres, type TestPostgres } from '#kit/testing/postgres.ts';
import { skipped } from '#kit/testing/server.ts';
import { testStorage } from './testing/indexer-mesh.ts';

// The tests of the service, its jobs and its documents again, with their records in PostgreSQL.

describe.skipIf(!hasPostgres && skipped('postgres', 93, postgresAdvice))('with records in PostgreSQL', async () => {
  let server: TestPostgres;
  beforeAll(async () => {
    server = await startPostgres();
    testStorage.createDatabase = server.createDatabase;
  });
  afterAll(() => server[Symbol.asyncDispose]());

  await import('./service.test.ts');
  await import('./jobs/jobs.slow.test.ts');
  await import('./documents/documents.slow.test.ts');
  await import('./gate/gate.slow.test.ts');
  await import('./overlays/overlays.slow.test.ts');
  await import('./sources/sources.test.ts');
  await import('./sources/sources.slow.test.ts');
  await import('./documents/rights.slow.test.ts');
});
