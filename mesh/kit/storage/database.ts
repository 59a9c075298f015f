import type { SQLInputValue } from 'node:sqlite';
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  Kysely,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import type { RowsQuery } from './insert-rows.ts';
import type { Statement, StatementResult } from './sqlite/protocol.ts';
import type { SqliteConnection, SqliteThread } from './sqlite/thread.ts';
import { streamQuery } from './stream-query.ts';

/**
 * Durable records: Kysely over a schema. In SQLite, queries run in a thread and transactions are exclusive; in PostgreSQL, transactions of
 * several replicas run concurrently (READ COMMITTED). `engineOf` says which it is.
 */
export type Database<Schema> = Kysely<Schema>;

/** Schema changes of a database, oldest first: each leads from one version to the next, in SQL. */
export interface Migrations {
  readonly sqlite: readonly string[];
  /** `undefined`: the database is always embedded, as those of adapters for SQLite. */
  readonly postgres?: readonly string[];
  /** Whether its content can be made again: a damaged file is then moved away, and an empty one takes its place. @default false */
  readonly isDisposable?: boolean;
}

/**
 * Statements that make every database of ragmesh durable: what a commit acknowledged survives a kill. Deleted content is overwritten, so that
 * what was erased is not in free pages.
 */
export const durableSetup: readonly string[] = [
  'PRAGMA journal_mode = WAL',
  'PRAGMA synchronous = FULL',
  'PRAGMA foreign_keys = ON',
  'PRAGMA secure_delete = ON',
  'PRAGMA busy_timeout = 10000',
];

/**
 * Opens a database in SQLite and brings it to its latest schema: `migrations[i]` leads from version i to i + 1, each in a transaction
 * (SQLite's user_version counts them). Never change a migration that was released; add one.
 */
export async function openDatabase<Schema>(
  thread: SqliteThread,
  path: string,
  migrations: readonly string[],
): Promise<Database<Schema>> {
  const connection = await thread.open({ path, setup: durableSetup });
  await migrate(connection, migrations);
  return new Kysely<Schema>({ dialect: createDialect(connection) });
}

/**
 * Rejects if the database file at `path` is missing, damaged or replaced: opens it a second time, reads its header and its schema, and
 * compares its version. Reads nothing of its content and never blocks a writer.
 */
export async function checkDatabase(thread: SqliteThread, path: string, migrations: readonly string[]): Promise<void> {
  const connection = await thread.open({ path, readOnly: true });
  try {
    const [row] = await connection.all(
      'SELECT user_version, (SELECT count(*) FROM sqlite_schema) FROM pragma_user_version',
    );
    const version = Number(row?.user_version);
    if (version !== migrations.length) {
      throw new Error(
        `the file was replaced while it was open: version ${version} instead of ${migrations.length}; restart`,
      );
    }
  } finally {
    await connection.close();
  }
}

/** Brings a database in SQLite to its latest schema, as {@link openDatabase} does, for those who keep connections of their own. */
export async function migrate(connection: SqliteConnection, migrations: readonly string[]): Promise<void> {
  const [row] = await connection.all('PRAGMA user_version');
  const version = Number(row?.user_version ?? 0);
  if (version > migrations.length) {
    throw new Error(
      `the database is at version ${version}, newer than this program (${migrations.length}): update ragmesh`,
    );
  }
  for (const [index, migration] of migrations.entries()) {
    if (index < version) continue;
    const statements = migration.split(/;\s*\n/).filter((sql) => sql.trim() !== '');
    await connection.transact([
      ...statements.map((sql) => ({ sql, params: [] })),
      { sql: `PRAGMA user_version = ${index + 1}`, params: [] },
    ]);
  }
}

/** Inserts that wait for the next statement of their transaction, and the parameters of each. */
const maxDeferred = 8;
const maxDeferredParameters = 8192;

function createDialect(connection: SqliteConnection): Dialect {
  let locked: Promise<void> = Promise.resolve();
  const releases = new WeakMap<DatabaseConnection, () => void>();
  const run = (sql: string) => connection.run({ sql, params: [] });
  // A transaction that was asked for begins with its first statement: that saves it a way to the thread and back.
  const begin: Statement = { sql: 'BEGIN IMMEDIATE', params: [] };
  const commit: Statement = { sql: 'COMMIT', params: [] };
  let transaction: 'none' | 'wanted' | 'begun' = 'none';
  // Inserts of which no one reads a result, in a transaction. They leave with the next statement, or with COMMIT: each way to the
  // thread and back costs more than they do.
  let deferred: Statement[] = [];
  const execute = async <R>(query: CompiledQuery): Promise<QueryResult<R>> => {
    const { sql, parameters, rowCount, returnsRows } = query as CompiledQuery & Partial<RowsQuery<R>>;
    const statement: Statement = { sql, params: parameters as SQLInputValue[], rowCount };
    if (transaction === 'wanted') {
      transaction = 'begun';
      deferred = [begin];
    }
    const isDeferred = transaction === 'begun' && returnsRows === false && deferred.length < maxDeferred;
    if (isDeferred && parameters.length < maxDeferredParameters) {
      deferred.push(statement);
      return { rows: [] };
    }
    const results = await runAfterDeferred(statement);
    return toQueryResult(results.at(-1) as StatementResult);
  };
  const runAfterDeferred = (statement: Statement) => {
    const before = deferred;
    deferred = [];
    return connection.run(...before, statement);
  };
  return {
    createAdapter: () => new SqliteAdapter(),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createDriver: () => ({
      init: async () => {},
      // One connection: who holds it has the database, so a transaction is never mixed with others' statements.
      async acquireConnection() {
        const before = locked;
        let release = () => {};
        locked = new Promise((resolve) => {
          release = resolve;
        });
        await before;
        const held: DatabaseConnection = { executeQuery: execute, streamQuery };
        releases.set(held, release);
        return held;
      },
      async releaseConnection(held) {
        releases.get(held)?.();
      },
      async beginTransaction() {
        transaction = 'wanted';
      },
      async commitTransaction() {
        if (transaction === 'begun') await runAfterDeferred(commit);
        transaction = 'none';
      },
      async rollbackTransaction() {
        const isBegun = transaction === 'begun';
        transaction = 'none';
        deferred = [];
        // If BEGIN itself failed, or SQLite has rolled back, there is nothing to undo.
        if (isBegun) await run('ROLLBACK').catch(unlessOver);
      },
      destroy: () => connection.close(),
    }),
  };
}

function toQueryResult<R>({ rows, changes, lastInsertRowid }: StatementResult): QueryResult<R> {
  return { rows: rows as R[], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) };
}

function unlessOver(error: unknown): void {
  if (!(error instanceof Error && error.message.includes('no transaction is active'))) throw error;
}
