import type { ServiceDeps } from '#kit/host/define-service.ts';
import { schemaOf } from '#kit/storage/postgres/database.ts';
import type { SqliteThreads } from '../../sqlite/threads.ts';
import { createPostgresEngine } from './postgres.ts';
import { postgresMigrations } from './postgres-schema.ts';
import { createSqliteEngine } from './sqlite.ts';
import type { CatalogEngine } from './tables.ts';

/** What {@link openEngine} needs. */
export interface EngineDeps
  extends Pick<ServiceDeps<unknown, never>, 'postgres' | 'openDatabase' | 'random' | 'clock'> {
  /** Folder of the files, without PostgreSQL. */
  folder: string;
  threads: SqliteThreads;
}

/** Opens what keeps the catalog: PostgreSQL if the process has one, otherwise files. */
export async function openEngine({
  postgres,
  openDatabase,
  random,
  clock,
  folder,
  threads,
}: EngineDeps): Promise<CatalogEngine> {
  if (postgres === undefined) return createSqliteEngine(folder, threads);
  await openDatabase('catalog', { sqlite: [], postgres: postgresMigrations });
  return createPostgresEngine({ pool: postgres, schema: schemaOf('retrieval'), random, clock });
}
