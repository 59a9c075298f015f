import { afterAll, beforeAll, describe } from 'vitest';
import { openPostgresDatabase, schemaOf } from '#kit/storage/postgres/database.ts';
import { hasPostgres, postgresAdvice, startPostgres, type TestPostgres } from '#kit/testing/postgres.ts';
import { skipped } from '#kit/testing/server.ts';
import { sourceRecordsSuite } from '../../suites/source-records.suite.ts';
import { openTestPool } from '../../testing/postgres-records.ts';
import { type SourcesSchema, sourcesMigrations } from './source-table.ts';

describe.skipIf(!hasPostgres && skipped('postgres', 5, postgresAdvice))('a real PostgreSQL', () => {
  let server: TestPostgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  sourceRecordsSuite('PostgreSQL', async () => {
    const url = await server.createDatabase();
    const closes: (() => Promise<void>)[] = [];
    return {
      replicaCount: 4,
      async open() {
        const pool = await openTestPool(url);
        closes.push(() => pool.close());
        const place = { pool, schema: schemaOf('indexer'), name: 'sources' };
        return openPostgresDatabase<SourcesSchema>(place, sourcesMigrations.postgres ?? []);
      },
      async close() {
        for (const close of closes) await close();
      },
    };
  });
});
