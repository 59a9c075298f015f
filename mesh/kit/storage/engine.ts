import { type Kysely, PostgresAdapter } from 'kysely';

/** What runs a database. */
export type Engine = 'sqlite' | 'postgres';

/** Returns the engine of a database or of a transaction in it, for SQL that must differ. */
export function engineOf<Schema>(db: Kysely<Schema>): Engine {
  return db.getExecutor().adapter instanceof PostgresAdapter ? 'postgres' : 'sqlite';
}
