import type { PostgresConnection } from '../postgres/pool.ts';

// Notes in the target of how far a move has come, so that an interrupted one continues.

/** How far a step has come. */
export interface Progress {
  /** JSON of the key of the last row that was moved; "null" before the first. */
  after: string;
  rowCount: number;
  isDone: boolean;
}

const table = 'ragmesh_move.progress';

/** Creates the table of the notes, if it is not there. */
export async function prepareProgress(connection: PostgresConnection): Promise<void> {
  await connection.query('CREATE SCHEMA IF NOT EXISTS ragmesh_move');
  await connection.query(
    `CREATE TABLE IF NOT EXISTS ${table} (
      source text NOT NULL, name text NOT NULL, after_key text NOT NULL, row_count bigint NOT NULL,
      is_done boolean NOT NULL, PRIMARY KEY (source, name)
    )`,
  );
}

/** Returns how far a step of a source has come. */
export async function readProgress(connection: PostgresConnection, source: string, name: string): Promise<Progress> {
  const [row] = await connection.query<{ after_key: string; row_count: number; is_done: boolean }>(
    `SELECT after_key, row_count, is_done FROM ${table} WHERE source = $1 AND name = $2`,
    [source, name],
  );
  return row === undefined
    ? { after: 'null', rowCount: 0, isDone: false }
    : { after: row.after_key, rowCount: Number(row.row_count), isDone: row.is_done };
}

/** Notes how far a step of a source has come. */
export async function writeProgress(
  connection: PostgresConnection,
  source: string,
  name: string,
  { after, rowCount, isDone }: Progress,
): Promise<void> {
  await connection.query(
    `INSERT INTO ${table} (source, name, after_key, row_count, is_done) VALUES ($1, $2, $3, $4, $5)
      ON CONFLICT (source, name) DO UPDATE SET after_key = $3, row_count = $4, is_done = $5`,
    [source, name, after, rowCount, isDone],
  );
}
