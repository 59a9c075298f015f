import type { SQLInputValue } from 'node:sqlite';
import { workerData } from 'node:worker_threads';
import { serveCalls, yieldToOthers } from '../../base/worker-rpc.ts';
import type { SqliteFile, SqliteStatement } from './file.ts';
import { openSqlite } from './open.ts';
import type { Reply, Request, Row, Statement, StatementResult } from './protocol.ts';

// A thread that owns SQLite connections. Requests run one after another, in the order in which they were sent.

interface Connection {
  db: SqliteFile;
  statements: Map<string, Prepared>;
}

interface Prepared {
  statement: SqliteStatement;
  /** Whether it returns rows. SQLite makes the list of columns for each question, so it is asked once. */
  returnsRows: boolean;
}

const connections = new Map<number, Connection>();

if ((workerData as { yields: boolean }).yields) yieldToOthers();
serveCalls(handle);

function handle(request: Request): Reply {
  switch (request.kind) {
    case 'open': {
      const { path, extensions, readOnly } = request;
      const db = openSqlite(path, { extensions, readOnly, timeoutMs: 10_000 });
      for (const statement of request.setup) db.exec(statement);
      connections.set(request.connection, { db, statements: new Map() });
      return undefined;
    }
    case 'run': {
      const connection = connectionOf(request.connection);
      if (!request.atomic) return request.statements.map((statement) => execute(connection, statement));
      connection.db.exec('BEGIN IMMEDIATE');
      try {
        const results = request.statements.map((statement) => execute(connection, statement));
        connection.db.exec('COMMIT');
        return results;
      } catch (error) {
        // A failed COMMIT or a full disk may have rolled back already.
        if (connection.db.isTransaction) connection.db.exec('ROLLBACK');
        throw error;
      }
    }
    case 'close': {
      connectionOf(request.connection).db.close();
      connections.delete(request.connection);
      return undefined;
    }
    default:
      return request satisfies never;
  }
}

/** Statements kept prepared by a connection. */
const maxStatements = 200;

function execute(connection: Connection, { sql, params, rowCount = 1, forEach }: Statement): StatementResult {
  const prepared = prepare(connection, sql);
  if (forEach !== undefined) {
    // Read to the end first: the statement may change what the query reads. A virtual table takes integers as bigint only.
    const { statement } = prepare(connection, forEach.sql);
    statement.setReadBigInts(true);
    const shares = statement.all(...forEach.params).map((row) => [...params, ...Object.values(row)]);
    return runEach(prepared, shares);
  }
  if (rowCount === 1) return runOnce(prepared, params);
  const width = params.length / rowCount;
  return runEach(prepared, sharesOf(params, width));
}

function* sharesOf(params: readonly SQLInputValue[], width: number): Generator<readonly SQLInputValue[]> {
  for (let start = 0; start < params.length; start += width) yield params.slice(start, start + width);
}

function prepare(connection: Connection, sql: string): Prepared {
  let prepared = connection.statements.get(sql);
  if (prepared === undefined) {
    if (connection.statements.size >= maxStatements) connection.statements.clear();
    const statement = connection.db.prepare(sql);
    prepared = { statement, returnsRows: statement.columns().length > 0 };
    connection.statements.set(sql, prepared);
  }
  return prepared;
}

function runEach(prepared: Prepared, shares: Iterable<readonly SQLInputValue[]>): StatementResult {
  const sum: StatementResult = { rows: [], changes: 0, lastInsertRowid: 0 };
  for (const params of shares) {
    const { rows, changes, lastInsertRowid } = runOnce(prepared, params);
    if (rows.length > 0) sum.rows.push(...rows);
    sum.changes += changes;
    sum.lastInsertRowid = lastInsertRowid;
  }
  return sum;
}

const noRows: Row[] = [];

function runOnce({ statement, returnsRows }: Prepared, params: readonly SQLInputValue[]): StatementResult {
  if (returnsRows) return { rows: statement.all(...params), changes: 0, lastInsertRowid: 0 };
  const { changes, lastInsertRowid } = statement.run(...params);
  return { rows: noRows, changes: Number(changes), lastInsertRowid: Number(lastInsertRowid) };
}

function connectionOf(id: number): Connection {
  const connection = connections.get(id);
  if (connection === undefined) throw new Error(`no connection ${id}`);
  return connection;
}
