import type { CompiledQuery, Kysely } from 'kysely';
import { type Engine, engineOf } from './engine.ts';

/** A statement that runs once for each run of `parameters.length / rowCount` parameters. */
export interface RowsQuery<Out> extends CompiledQuery<Out> {
  rowCount: number;
  /** Whether it returns rows; otherwise its result is of no interest, only its failure. */
  returnsRows: boolean;
}

/** Parameters of one statement of PostgreSQL: its protocol counts them in 16 bits. */
const maxParameters = 65_535;

/**
 * An insert of any number of rows of one shape. Its SQL is made once and is the same for every number of rows, so that neither Kysely
 * nor SQLite has to read another text each time; PostgreSQL gets all rows in one statement, or in as many as its parameters need.
 * `toQuery`: the insert of one row, with no parameters but its values. Gives what the insert returns; one that returns nothing may fail
 * only at the next statement of its transaction, or at its end. In PostgreSQL a row of
 * `ON CONFLICT DO UPDATE` must be there once.
 */
export function createInsert<Schema, Row extends object, Out>(
  toQuery: (db: Kysely<Schema>, row: Row) => { compile(): CompiledQuery<Out> },
): (db: Kysely<Schema>, rows: readonly Row[]) => Promise<Out[]> {
  interface Known {
    query: CompiledQuery<Out>;
    columns: readonly (keyof Row)[];
  }
  const known: Partial<Record<Engine, Known>> = {};
  return async (db, rows) => {
    const [first] = rows;
    if (first === undefined) return [];
    const engine = engineOf(db);
    known[engine] ??= { query: toQuery(db, first).compile(), columns: Object.keys(first) as (keyof Row)[] };
    const { query, columns } = known[engine];
    if (query.parameters.length !== columns.length) throw new Error(`not one parameter a column: ${query.sql}`);
    const valuesOf = (some: readonly Row[]) => some.flatMap((row) => columns.map((column) => row[column]));
    const returnsRows = query.query.kind === 'InsertQueryNode' && query.query.returning !== undefined;
    if (engine === 'sqlite') {
      const all: RowsQuery<Out> = { ...query, parameters: valuesOf(rows), rowCount: rows.length, returnsRows };
      return (await db.executeQuery<Out>(all)).rows;
    }
    const rowsAtOnce = Math.floor(maxParameters / columns.length);
    const results: Out[] = [];
    for (let start = 0; start < rows.length; start += rowsAtOnce) {
      const some = rows.slice(start, start + rowsAtOnce);
      const sql = withRows(query.sql, columns.length, some.length);
      const all: RowsQuery<Out> = { ...query, sql, parameters: valuesOf(some), rowCount: 1, returnsRows };
      results.push(...(await db.executeQuery<Out>(all)).rows);
    }
    return results;
  };
}

/** Returns an insert of one row as one of `rowCount` rows. */
function withRows(sql: string, columnCount: number, rowCount: number): string {
  if (rowCount === 1) return sql;
  const row = (from: number) =>
    `(${Array.from({ length: columnCount }, (_, index) => `$${from + index + 1}`).join(', ')})`;
  const first = row(0);
  const at = sql.indexOf(first);
  if (at === -1) throw new Error(`the values are not in the order of the row: ${sql}`);
  const others = Array.from({ length: rowCount - 1 }, (_, index) => row((index + 1) * columnCount));
  return sql.slice(0, at) + [first, ...others].join(', ') + sql.slice(at + first.length);
}
