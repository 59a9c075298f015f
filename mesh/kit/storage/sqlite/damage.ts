import { renameSync, rmSync, statSync } from 'node:fs';
import { createSqliteThread, SqliteError, type SqliteThread } from './thread.ts';

/** Codes of damage: "malformed" and "not a database" (https://www.sqlite.org/rescode.html). */
const damageCodes: ReadonlySet<number> = new Set([11, 26]);

/** A larger file is looked through beside the start, in a thread of its own. */
const largeBytes = 16 << 20;

/** Whether SQLite failed because the content of the file is damaged. */
export function isDamage(error: unknown): error is SqliteError {
  return error instanceof SqliteError && damageCodes.has((error.errcode ?? 0) & 0xff);
}

/** Returns the error of a damaged file whose records cannot be made again. */
export function damaged(path: string, detail: string): Error {
  const advice = 'restore it from a backup ("npm run restore"), or move it away to begin without what it held';
  return new Error(`${path} is damaged (${detail}): ${advice}`);
}

/** Renames a damaged file to `<path>.damaged`, in place of an earlier one, and removes its log. Returns the new path. */
export function setAside(path: string): string {
  const aside = `${path}.damaged`;
  renameSync(path, aside);
  for (const ending of ['-wal', '-shm']) rmSync(`${path}${ending}`, { force: true });
  return aside;
}

/**
 * Looks for damage in the pages of a database that is open, as `PRAGMA quick_check` does. Throws SqliteError if it finds some. A large
 * file takes seconds, so its result comes later: it calls `onDamage` then. Resolves when the start can continue.
 */
export async function checkContent(
  thread: SqliteThread,
  path: string,
  onDamage: (detail: string) => void,
): Promise<void> {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) <= largeBytes) return quickCheck(thread, path);
  const own = createSqliteThread();
  void quickCheck(own, path)
    .catch((error: unknown) => isDamage(error) && onDamage(error.message))
    .finally(() => own.close());
}

async function quickCheck(thread: SqliteThread, path: string): Promise<void> {
  const connection = await thread.open({ path, readOnly: true });
  try {
    const [row] = await connection.all('PRAGMA quick_check(1)');
    const [result] = Object.values(row ?? {});
    if (result !== 'ok') throw new SqliteError(String(result).replaceAll(/\s+/g, ' '), 11);
  } finally {
    await connection.close();
  }
}
