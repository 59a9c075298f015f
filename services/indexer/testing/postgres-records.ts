import { create } from '@bufbuild/protobuf';
import { StorageConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { createLogger } from '#kit/base/log.ts';
import { openPostgresDatabase, schemaOf } from '#kit/storage/postgres/database.ts';
import { openPostgres, type PostgresPool } from '#kit/storage/postgres/pool.ts';
import { readStorage } from '#kit/storage/postgres/settings.ts';
import { createJobStore } from '../jobs/create-job-store.ts';
import type { JobStore } from '../jobs/job-store.ts';
import { type JobsSchema, jobsMigrations } from '../jobs/job-table.ts';

/** Opens connections to a PostgreSQL. `url`: of the database. */
export function openTestPool(url: string): Promise<PostgresPool> {
  const settings = readStorage(create(StorageConfigSchema, { database: url }));
  if (settings === undefined) throw new Error('no database');
  return openPostgres(settings, createLogger('silent'));
}

/** Opens the records of jobs in a PostgreSQL, as a replica does. `url`: of the database. */
export async function openPostgresJobs(
  url: string,
  clock: () => number,
): Promise<{ jobs: JobStore; close(): Promise<void> }> {
  const pool = await openTestPool(url);
  const place = { pool, schema: schemaOf('indexer'), name: 'jobs' };
  const database = await openPostgresDatabase<JobsSchema>(place, jobsMigrations.postgres ?? []);
  return { jobs: createJobStore(database, clock), close: () => pool.close() };
}
