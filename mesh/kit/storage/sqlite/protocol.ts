import type { SQLInputValue } from 'node:sqlite';

/** A statement with its parameters. */
export interface Statement {
  sql: string;
  params: readonly SQLInputValue[];
  /** Runs it so many times, each time with the next equal share of the parameters. @default 1 */
  rowCount?: number | undefined;
}

/** A row by column name. */
export type Row = Record<string, SQLInputValue>;

/** What a statement gave. */
export interface StatementResult {
  rows: Row[];
  /** Rows changed. */
  changes: number;
  lastInsertRowid: number;
}

/** To the thread. */
export type Request = { id: number; connection: number } & (
  | { kind: 'open'; path: string; extensions: readonly string[]; setup: readonly string[]; readOnly: boolean }
  | { kind: 'run'; statements: readonly Statement[]; atomic: boolean }
  | { kind: 'close' }
);

/** From the thread. */
export type Reply =
  | { id: number; ok: true; value: StatementResult[] | undefined }
  | { id: number; ok: false; message: string; code: string | undefined; errcode: number | undefined };
