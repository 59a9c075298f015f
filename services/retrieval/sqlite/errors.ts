import { internal, unavailable } from '#kit/base/errors.ts';
import { SqliteError } from '#kit/storage/sqlite/thread.ts';

/** Result codes of SQLite whose cause is the environment, not a bug (https://www.sqlite.org/rescode.html). */
const causes = new Map([
  [5, 'is locked by another process'],
  [6, 'is locked'],
  [8, 'is read-only'],
  [10, 'cannot be read or written: check the disk'],
  [11, 'is damaged: restore it, or delete it and index again'],
  [13, 'cannot be written: the disk is full, free some space'],
  [14, 'cannot be opened'],
  [26, 'is not a database: restore it, or delete it and index again'],
]);

/** Returns a failure of an embedded store as an error that may cross a service; returns any other error unchanged. */
export function toStoreError(error: unknown, store: string): unknown {
  if (!(error instanceof SqliteError)) return error;
  if (error.errcode === undefined) return unavailable(store, `the ${store} is closing`, error);
  const cause = causes.get(error.errcode & 0xff);
  return cause === undefined ? internal(error) : unavailable(store, `the ${store} ${cause}`, error);
}
