import { SqliteError } from './sqlite/thread.ts';

/** Extended result codes of SQLite (https://www.sqlite.org/rescode.html): a primary key, and a unique index. */
const sqliteCodes: ReadonlySet<number | undefined> = new Set([1555, 2067]);
/** `unique_violation` (PostgreSQL, appendix A). */
const postgresCode = '23505';

/** Returns whether a statement failed because a key that must be unique is there already, in either engine. */
export function isUniqueViolation(error: unknown): boolean {
  if (error instanceof SqliteError) return sqliteCodes.has(error.errcode);
  return error instanceof Error && (error as { code?: unknown }).code === postgresCode;
}
