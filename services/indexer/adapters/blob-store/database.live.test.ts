import { afterAll, beforeAll, describe } from 'vitest';
import { createFromAdapter } from '#kit/host/config/adapters.ts';
import { openPostgresDatabase, schemaOf } from '#kit/storage/postgres/database.ts';
import { hasPostgres, postgresAdvice, startPostgres, type TestPostgres } from '#kit/testing/postgres.ts';
import { skipped } from '#kit/testing/server.ts';
import { blobStoreSuite } from '../../suites/blob-store.suite.ts';
import { blobStoreDeps } from '../../testing/blob-store-deps.ts';
import { openTestPool } from '../../testing/postgres-records.ts';
import type { BlobStore, BlobStoreDeps } from '../../uploads/blob-store.ts';

describe.skipIf(!hasPostgres && skipped('postgres', 8, postgresAdvice))('a real PostgreSQL', () => {
  let server: TestPostgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  blobStoreSuite('database', async () => {
    const pool = await openTestPool(await server.createDatabase());
    const deps: BlobStoreDeps = {
      ...blobStoreDeps(''),
      openDatabase: (name, { postgres = [] }) =>
        openPostgresDatabase({ pool, schema: schemaOf('indexer'), name }, postgres),
    };
    const open = () =>
      createFromAdapter<BlobStore, BlobStoreDeps>(new URL('./', import.meta.url), 'database', {}, deps, 'x');
    return {
      store: await open(),
      openAgain: open,
      async damage(name) {
        const change = 'SET bytes = set_byte(bytes, 3, get_byte(bytes, 3) # 1) WHERE name = $1 AND ordinal = 0';
        await pool.query(`UPDATE ragmesh_indexer.blob_parts ${change}`, [name]);
      },
      close: () => pool.close(),
    };
  });
});
