import { createWorkerRpc } from '../../base/worker-rpc.ts';
import type { Reply, Request, Row, Statement, StatementResult } from './protocol.ts';

/** A failure of SQLite. `errcode` is its result code (https://www.sqlite.org/rescode.html). */
export class SqliteError extends Error {
  override readonly name = 'SqliteError';
  readonly errcode: number | undefined;
  constructor(message: string, errcode: number | undefined, options?: ErrorOptions) {
    super(message, options);
    this.errcode = errcode;
  }
}

/** How a connection is opened. */
export interface OpenOptions {
  path: string;
  /** Paths of extensions to load. */
  extensions?: readonly string[];
  /** Statements to run first: pragmas, tables. */
  setup?: readonly string[];
  /** Whether it can only be read; a file that does not exist is then an error. @default false */
  readOnly?: boolean;
}

/** A connection to a database, owned by a thread. */
export interface SqliteConnection {
  /** Rows of a query. */
  all(sql: string, params?: Statement['params']): Promise<Row[]>;
  /** Runs statements in one transaction: all or none. */
  transact(statements: readonly Statement[]): Promise<StatementResult[]>;
  /** Runs statements one after another as they are, up to the first that fails; BEGIN and COMMIT are the caller's. */
  run(...statements: Statement[]): Promise<StatementResult[]>;
  close(): Promise<void>;
}

/** A worker thread that runs SQLite, so that no query blocks the event loop. */
export interface SqliteThread {
  open(options: OpenOptions): Promise<SqliteConnection>;
  /** Requests that wait for the thread, to choose the least busy one. */
  readonly pendingCount: number;
  close(): Promise<void>;
}

/** Requests that may wait for a thread; more is a caller without back-pressure. */
const maxPending = 100_000;

/**
 * Creates a thread. If it ends by itself, all its connections fail: a new one could not continue their transactions. `yields`: lets other threads
 * come first when all cores are busy; for work that no one waits for with a short deadline. @default false
 */
export function createSqliteThread({ yields = false }: { yields?: boolean } = {}): SqliteThread {
  const rpc = createWorkerRpc<Request, Reply>({
    file: new URL('./worker.ts', import.meta.url),
    name: 'sqlite',
    maxPending,
    workerData: { yields },
    toError({ message, fields, cause }) {
      return new SqliteError(message, typeof fields.errcode === 'number' ? fields.errcode : undefined, { cause });
    },
  });
  let lastConnection = 0;
  return {
    get pendingCount() {
      return rpc.pendingCount;
    },
    async open({ path, extensions = [], setup = [], readOnly = false }) {
      const connection = ++lastConnection;
      await rpc.call({ kind: 'open', connection, path, extensions, setup, readOnly });
      return {
        all: async (sql, params = []) =>
          (await rpc.call({ kind: 'run', connection, statements: [{ sql, params }], atomic: false }))?.[0]?.rows ?? [],
        transact: async (statements) => (await rpc.call({ kind: 'run', connection, statements, atomic: true })) ?? [],
        run: async (...statements) => (await rpc.call({ kind: 'run', connection, statements, atomic: false })) ?? [],
        close: async () => {
          await rpc.call({ kind: 'close', connection });
        },
      };
    },
    close: () => rpc.close(),
  };
}
