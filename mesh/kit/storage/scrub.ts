import { sql } from 'kysely';
import { unavailable } from '../base/errors.ts';
import type { Database } from './database.ts';
import { engineOf } from './engine.ts';

/** Times that a checkpoint is tried: a reader of an old state holds it up. */
const maxCheckpoints = 5;

/**
 * Removes what deleted rows have left in the files of a database. SQLite: deleted content is overwritten when it is deleted (`secure_delete`), and this
 * empties the write-ahead log. PostgreSQL: VACUUM, after which no query and no dump has it; its bytes stay in the files, the write-ahead log
 * and its archive until they are written over (`VACUUM FULL` rewrites the files of a table, and locks it meanwhile). Throws
 * UNAVAILABLE if readers hold it up.
 */
export async function scrubDatabase<Schema>(db: Database<Schema>): Promise<void> {
  if (engineOf(db) === 'postgres') {
    const tables = await sql<{ name: string }>`
      SELECT tablename AS name FROM pg_tables WHERE schemaname = current_schema()`.execute(db);
    for (const { name } of tables.rows) await sql`VACUUM ${sql.table(name)}`.execute(db);
    return;
  }
  for (let attempt = 1; ; attempt++) {
    const { rows } = await sql<{ busy: number }>`PRAGMA wal_checkpoint(TRUNCATE)`.execute(db);
    if (rows[0]?.busy === 0) return;
    if (attempt === maxCheckpoints) {
      throw unavailable('embedded database', 'its write-ahead log is being read: try again');
    }
  }
}
