import type { SQLInputValue } from 'node:sqlite';

/** A statement with its parameters. */
export interface Statement {
  sql: string;
  params: readonly SQLInputValue[];
  /** Number of times to run it, each time with the next equal share of the parameters. @default 1 */
  rowCount?: number | undefined;
  /**
   * A query that runs first: the statement runs once for each of its rows, with its columns after the parameters. A virtual table finds a row
   * by its id, but reads all of them to find those of a subquery.
   */
  forEach?: { sql: string; params: readonly SQLInputValue[] } | undefined;
}

/** A row by column name. */
export type Row = Record<string, SQLInputValue>;

/** The result of a statement. */
export interface StatementResult {
  rows: Row[];
  /** Rows changed. */
  changes: number;
  lastInsertRowid: number;
}

/** A request to the thread. The reply has one result for each statement of `run`, and is `undefined` for the others. */
export type Request = { connection: number } & (
  | { kind: 'open'; path: string; extensions: readonly string[]; setup: readonly string[]; readOnly: boolean }
  | { kind: 'run'; statements: readonly Statement[]; atomic: boolean }
  | { kind: 'close' }
);

/** A reply of the thread. */
export type Reply = StatementResult[] | undefined;
