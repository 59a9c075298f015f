import type { CompiledQuery, Kysely } from 'kysely';

/** A statement that runs once for each run of `parameters.length / rowCount` parameters. */
export interface RowsQuery<Out> extends CompiledQuery<Out> {
  rowCount: number;
}

/**
 * An insert of any number of rows of one shape. Its SQL is made once and is the same for every number of rows, so that neither Kysely
 * nor the database has to read another text each time. `toQuery`: the insert of one row, with no parameters but its values. Gives what
 * the insert returns.
 */
export function createInsert<Schema, Row extends object, Out>(
  toQuery: (db: Kysely<Schema>, row: Row) => { compile(): CompiledQuery<Out> },
): (db: Kysely<Schema>, rows: readonly Row[]) => Promise<Out[]> {
  let known: { query: CompiledQuery<Out>; columns: readonly (keyof Row)[] } | undefined;
  return async (db, rows) => {
    const [first] = rows;
    if (first === undefined) return [];
    known ??= { query: toQuery(db, first).compile(), columns: Object.keys(first) as (keyof Row)[] };
    const { query, columns } = known;
    if (query.parameters.length !== columns.length) throw new Error(`not one parameter a column: ${query.sql}`);
    const parameters = rows.flatMap((row) => columns.map((column) => row[column]));
    const all: RowsQuery<Out> = { ...query, parameters, rowCount: rows.length };
    return (await db.executeQuery<Out>(all)).rows;
  };
}
