import type { Snapshots } from '../snapshots/snapshots.ts';
import type { SqliteThreads } from './threads.ts';

/** What the service gives to every store adapter. Only embedded stores use it. */
export interface EmbeddedStoreDeps {
  /** The folder of the store's files; it may not exist yet. */
  folder: string;
  threads: SqliteThreads;
  /** Copies of live versions in memory; the store closes them. @default none */
  snapshots?: Snapshots;
}
