import type { PostgresPool } from '#kit/storage/postgres/pool.ts';
import type { Snapshots } from '../snapshots/snapshots.ts';
import type { SqliteThreads } from './threads.ts';

/** What the service gives to every store adapter. Those of other servers use none of it. */
export interface EmbeddedStoreDeps {
  /** The folder of the store's files; it may not exist yet. */
  folder: string;
  threads: SqliteThreads;
  /** The time in milliseconds since 1970. @default uses of files are not recorded */
  clock?: () => number;
  /** Copies of live versions in memory; the store closes them. @default none */
  snapshots?: Snapshots;
  /** The process's connections to PostgreSQL, for the stores that are there; `undefined` without storage.database. */
  postgres?: PostgresPool | undefined;
}
