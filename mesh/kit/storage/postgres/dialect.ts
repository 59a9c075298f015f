import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
} from 'kysely';
import type { RowsQuery } from '../insert-rows.ts';
import { streamQuery } from '../stream-query.ts';
import type { PooledConnection, PostgresPool } from './pool.ts';

/** Statements of a transaction that may be on their way without an answer. */
const maxUnanswered = 16;

/**
 * Returns Kysely's dialect over the pool, which it does not close. BEGIN, locks and inserts of which no one reads a result are sent without a
 * wait for their answer: a failure of one is that of the next statement, or of COMMIT. So a transaction takes few ways to the server.
 */
export function createPostgresDialect(pool: PostgresPool): Dialect {
  const held = new WeakMap<DatabaseConnection, Held>();
  const heldOf = (connection: DatabaseConnection) => {
    const found = held.get(connection);
    if (found === undefined) throw new Error('the connection was released');
    return found;
  };
  return {
    createAdapter: () => new PostgresAdapter(),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
    createDriver: () => ({
      init: async () => {},
      async acquireConnection() {
        const own = hold(await pool.connect());
        const connection: DatabaseConnection = { executeQuery: own.execute, streamQuery };
        held.set(connection, own);
        return connection;
      },
      async releaseConnection(connection) {
        heldOf(connection).release();
        held.delete(connection);
      },
      async beginTransaction(connection) {
        heldOf(connection).begin();
      },
      commitTransaction: (connection) => heldOf(connection).commit(),
      rollbackTransaction: (connection) => heldOf(connection).rollback(),
      destroy: async () => {},
    }),
  };
}

type Held = ReturnType<typeof hold>;

function hold(connection: PooledConnection) {
  let isInTransaction = false;
  let isDiscarded = false;
  let unanswered = 0;
  let failure: { error: unknown } | undefined;
  const send = (sql: string, parameters: readonly unknown[]) => {
    unanswered++;
    connection.query(sql, parameters).then(
      () => unanswered--,
      (error: unknown) => {
        unanswered--;
        failure ??= { error };
      },
    );
  };
  /** Runs a statement; if one before it has failed, that failure is the result. */
  const run = async (sql: string, parameters: readonly unknown[]) => {
    const result = await connection.query(sql, parameters).catch((error: unknown) => {
      throw failure === undefined ? error : failure.error;
    });
    if (failure !== undefined) throw failure.error;
    return result;
  };
  return {
    async execute<R>(query: CompiledQuery): Promise<QueryResult<R>> {
      const { sql, parameters, returnsRows } = query as CompiledQuery & Partial<RowsQuery<R>>;
      if (isInTransaction && returnsRows === false && unanswered < maxUnanswered) {
        send(sql, parameters);
        return { rows: [] };
      }
      const { rows, rowCount } = await run(sql, parameters);
      return { rows: rows as R[], numAffectedRows: BigInt(rowCount ?? 0) };
    },
    begin() {
      isInTransaction = true;
      send('BEGIN', []);
    },
    async commit() {
      const { command } = await run('COMMIT', []);
      isInTransaction = false;
      if (command !== 'COMMIT') throw new Error('a transaction was rolled back although its work has ended');
    },
    async rollback() {
      isInTransaction = false;
      failure = undefined;
      await connection.query('ROLLBACK', []).catch((error: unknown) => {
        isDiscarded = true;
        throw error;
      });
      failure = undefined;
    },
    release: () => connection.release(isDiscarded),
  };
}
