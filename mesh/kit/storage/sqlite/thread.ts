import { Worker } from 'node:worker_threads';
import type { Reply, Request, Row, Statement, StatementResult } from './protocol.ts';

/** A failure of SQLite. `errcode` is its result code (https://www.sqlite.org/rescode.html). */
export class SqliteError extends Error {
  override readonly name = 'SqliteError';
  readonly errcode: number | undefined;
  constructor(message: string, errcode: number | undefined) {
    super(message);
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
  /** Requests that wait for the thread, for choosing the least busy one. */
  readonly pendingCount: number;
  close(): Promise<void>;
}

/** Requests that may wait for a thread; more is a caller without back-pressure. */
const maxPending = 100_000;

/** Starts a thread. */
export function createSqliteThread(): SqliteThread {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { execArgv: [], name: 'sqlite' });
  const pending = new Map<
    number,
    { resolve: (value: StatementResult[] | undefined) => void; reject: (error: Error) => void }
  >();
  let lastId = 0;
  let lastConnection = 0;
  let failure: Error | undefined;

  const fail = (error: Error) => {
    failure ??= error;
    for (const { reject } of pending.values()) reject(failure);
    pending.clear();
  };
  worker.on('message', (reply: Reply) => {
    const waiter = pending.get(reply.id);
    pending.delete(reply.id);
    // A reply that comes while the thread is closing must not release the process: `close` waits for the thread's end.
    if (pending.size === 0 && failure === undefined) worker.unref();
    if (reply.ok) waiter?.resolve(reply.value);
    else waiter?.reject(new SqliteError(reply.message, reply.errcode));
  });
  worker.on('error', (error) => fail(error as Error));
  worker.on('exit', () => fail(new SqliteError('the SQLite thread has ended', undefined)));
  worker.unref();

  type Body = Request extends infer R ? (R extends Request ? Omit<R, 'id'> : never) : never;
  const send = (body: Body): Promise<StatementResult[] | undefined> => {
    if (failure !== undefined) return Promise.reject(failure);
    if (pending.size >= maxPending)
      return Promise.reject(new SqliteError('too many requests wait for SQLite', undefined));
    return new Promise((resolve, reject) => {
      const id = ++lastId;
      pending.set(id, { resolve, reject });
      // While an answer is due the process must live, or work would be lost in silence.
      worker.ref();
      worker.postMessage({ ...body, id });
    });
  };

  return {
    get pendingCount() {
      return pending.size;
    },
    async open({ path, extensions = [], setup = [], readOnly = false }) {
      const connection = ++lastConnection;
      await send({ kind: 'open', connection, path, extensions, setup, readOnly });
      return {
        all: async (sql, params = []) =>
          (await send({ kind: 'run', connection, statements: [{ sql, params }], atomic: false }))?.[0]?.rows ?? [],
        transact: async (statements) => (await send({ kind: 'run', connection, statements, atomic: true })) ?? [],
        run: async (...statements) => (await send({ kind: 'run', connection, statements, atomic: false })) ?? [],
        close: async () => {
          await send({ kind: 'close', connection });
        },
      };
    },
    async close() {
      failure ??= new SqliteError('the SQLite thread is closed', undefined);
      await worker.terminate();
    },
  };
}
