import { DatabaseSync } from 'node:sqlite';
import { folderKeyOf } from '../encryption/folder-keys.ts';
import { openEncrypted } from './encrypted.ts';
import type { SqliteFile } from './file.ts';

/** How a database file is opened. */
export interface SqliteOptions {
  /** Paths of extensions to load. @default none */
  extensions?: readonly string[];
  /** Whether it can only be read; a file that does not exist is then an error. @default false */
  readOnly?: boolean;
  /** Longest wait for a lock, in milliseconds. @default 0 */
  timeoutMs?: number;
}

/** Opens a database file in this thread; one in an encrypted folder with the key of the folder. */
export function openSqlite(
  path: string,
  { extensions = [], readOnly = false, timeoutMs = 0 }: SqliteOptions = {},
): SqliteFile {
  const key = folderKeyOf(path);
  const db: SqliteFile =
    key === undefined
      ? new DatabaseSync(path, { allowExtension: extensions.length > 0, readOnly, timeout: timeoutMs })
      : openEncrypted(path, key.database, { readOnly, timeoutMs });
  try {
    for (const extension of extensions) db.loadExtension(extension);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}
