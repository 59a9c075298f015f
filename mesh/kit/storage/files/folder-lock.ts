import { join } from 'node:path';
import { type SqliteConnection, SqliteError, type SqliteThread } from '../sqlite/thread.ts';

/** SQLITE_BUSY. */
const busy = 5;

/**
 * Holds a folder for this process: two processes over one folder would each believe their own caches. The lock is
 * SQLite's on an empty file, so it goes with the process however that ends. Throws an error that says what to do.
 */
export async function lockFolder(thread: SqliteThread, folder: string, name: string): Promise<SqliteConnection> {
  try {
    return await thread.open({
      path: join(folder, 'lock'),
      setup: ['PRAGMA busy_timeout = 500', 'PRAGMA locking_mode = EXCLUSIVE', 'BEGIN EXCLUSIVE'],
    });
  } catch (error) {
    if (!(error instanceof SqliteError) || error.errcode !== busy) throw error;
    throw new Error(
      `another process runs "${name}" over ${folder}: stop it, or give this one a folder of its own (data_dir)`,
      { cause: error },
    );
  }
}
