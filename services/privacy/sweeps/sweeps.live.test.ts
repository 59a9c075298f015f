import { create } from '@bufbuild/protobuf';
import { describe } from 'vitest';
import { StorageConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { ConfigError } from '#kit/base/config-error.ts';
import { createLogger } from '#kit/base/log.ts';
import { openPostgresDatabase, schemaOf } from '#kit/storage/postgres/database.ts';
import { openPostgres, type PostgresPool } from '#kit/storage/postgres/pool.ts';
import { readStorage } from '#kit/storage/postgres/settings.ts';
import { hasPostgres, postgresAdvice, startPostgres } from '#kit/testing/postgres.ts';
import { skipped } from '#kit/testing/server.ts';
import { migrations, type PrivacySchema } from '../records/schema.ts';
import { sweepsSuite } from '../suites/sweeps.suite.ts';
import { createSweepStore } from './sweep-store.ts';

describe.skipIf(!hasPostgres && skipped('postgres', 4, postgresAdvice))('a real PostgreSQL', () => {
  sweepsSuite('PostgreSQL', async () => {
    const server = await startPostgres();
    const settings = readStorage(create(StorageConfigSchema, { database: await server.createDatabase() }));
    if (settings === undefined) throw new ConfigError('storage.database', 'is missing');
    const pools: PostgresPool[] = [];
    const replicas = [];
    for (let at = 0; at < 4; at++) {
      const pool = await openPostgres(settings, createLogger('silent'));
      pools.push(pool);
      const place = { pool, schema: schemaOf('privacy'), name: 'privacy' };
      replicas.push(createSweepStore(await openPostgresDatabase<PrivacySchema>(place, migrations.postgres ?? [])));
    }
    return {
      replicas,
      async close() {
        for (const pool of pools) await pool.close();
        await server[Symbol.asyncDispose]();
      },
    };
  });
});
