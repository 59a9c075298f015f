/** A row, by column. */
export type Row = Readonly<Record<string, unknown>>;

/** The address of a database, and how to log in. */
export interface Place {
  host: string;
  /** A checked address of the host. */
  address: string;
  port: number;
  database: string;
  user: string;
  password: string;
  tls: 'verify' | 'encrypt' | 'off';
  /** Longest time of one query. */
  timeoutMs: number;
}

/** A connection that only reads. */
export interface Rows {
  /** Rejects with UNAVAILABLE if the query fails, with what the database says. */
  read(sql: string, values: readonly string[], signal: AbortSignal): Promise<Row[]>;
  /** Returns the names of the columns of a query. */
  columns(sql: string, signal: AbortSignal): Promise<readonly string[]>;
  close(): Promise<void>;
}
