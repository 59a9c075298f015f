import type { SQLInputValue } from 'node:sqlite';
import type { Row } from './protocol.ts';

/** A connection to a database file, as `DatabaseSync` of Node is one. */
export interface SqliteFile {
  readonly isTransaction: boolean;
  exec(sql: string): void;
  prepare(sql: string): SqliteStatement;
  loadExtension(path: string): void;
  close(): void;
}

/** A prepared statement, as `StatementSync` of Node is one. */
export interface SqliteStatement {
  all(...params: SQLInputValue[]): Row[];
  get(...params: SQLInputValue[]): Row | undefined;
  run(...params: SQLInputValue[]): { changes: number | bigint; lastInsertRowid: number | bigint };
  iterate(...params: SQLInputValue[]): IterableIterator<Row>;
  /** Columns of its rows; none if it returns no rows. */
  columns(): readonly unknown[];
  setReadBigInts(enabled: boolean): void;
  setReturnArrays(enabled: boolean): void;
}
