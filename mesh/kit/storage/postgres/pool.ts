import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { ConfigError } from '../../base/config-error.ts';
import type { Logger } from '../../base/log.ts';
import { within } from '../../base/within.ts';
import { createPulse } from '../../breaker/pulse.ts';
import { isConnectionLost, mayPass, toDatabaseError } from './errors.ts';
import { createListener, type Listen } from './listen.ts';
import { describeAddress, type PostgresSettings } from './settings.ts';

// The one policy for connections to PostgreSQL. No statement is sent twice, so the caller decides about retries. Nothing of a session is
// kept between statements, so that a pooler may be between: settings of a transaction are SET LOCAL, locks are those of a transaction.

/** A connection that its holder has for itself. */
export interface PostgresConnection {
  /** Returns the rows of a statement. U+0000 in text, which PostgreSQL cannot store, becomes U+FFFD. Rejects as {@link toDatabaseError} says. */
  query<Row>(text: string, values?: readonly unknown[]): Promise<Row[]>;
}

/** A connection as Kysely's dialect takes it from a pool. */
export interface PooledConnection {
  query(text: string, values: readonly unknown[], timeoutMs?: number): Promise<pg.QueryResult>;
  /** Returns it to the pool, or ends it: if asked to, and if it was lost. */
  release(isDiscarded?: boolean): void;
}

/** The connections of this process to PostgreSQL, shared by its services. */
export interface PostgresPool extends PostgresConnection {
  /** Runs `work` in one transaction: all or nothing. `statementMs`: longest time of a statement of it, instead of the usual one. */
  transaction<T>(work: (connection: PostgresConnection) => Promise<T>, statementMs?: number): Promise<T>;
  /**
   * Takes a connection; waits at most `storage.connect_timeout_ms` for it. Rejects with UNAVAILABLE immediately while the server gives no sign
   * of life: a server that hangs costs one wait and not one for each statement.
   */
  connect(): Promise<PooledConnection>;
  /** Reports notifications of a channel; see {@link Listen}. */
  listen: Listen;
  close(): Promise<void>;
}

/** Time after the server's own limit before a statement is considered lost with its server, in milliseconds. */
const lostAfterMs = 5000;
/** Longest statement if the server has its own limits, in milliseconds. */
const longestStatementMs = 600_000;
/** Longest pause inside a transaction: a process that hangs does not hold its locks for longer. In milliseconds. */
const idleInTransactionMs = 10_000;
/** Time between two attempts at the start, in milliseconds. */
const retryMs = 250;
/** PostgreSQL 14. */
const oldestVersion = 140_000;

/**
 * Opens the pool. Waits for the server at most `storage.connect_timeout_ms` and throws ConfigError with advice if it cannot be used.
 * Later a lost server makes calls fail with UNAVAILABLE, until it is back. `onCircuit`: is called when calls begin to end immediately because
 * the server hangs, and when they no longer do.
 */
export async function openPostgres(
  settings: PostgresSettings,
  log: Logger,
  onCircuit: (isOpen: boolean) => void = () => {},
): Promise<PostgresPool> {
  const { connectTimeoutMs, statementTimeoutMs, poolSize } = settings;
  const options = clientOptions(settings);
  // Statements may be sent before those before them are answered.
  const pool = new pg.Pool({
    ...options,
    pipeline: true,
    max: poolSize,
    idleTimeoutMillis: 60_000,
    maxLifetimeSeconds: 3600,
  });
  const logLoss = (error: unknown) =>
    log.debug({ event: 'database_connection_lost', err: error }, 'database connection lost');
  pool.on('error', logLoss);
  // A connection may be lost while it passes from the pool to its holder: without a listener of its own that would end the process.
  pool.on('connect', (client) => client.on('error', logLoss));
  const listener = createListener({ newClient: () => new pg.Client(options), connectTimeoutMs, log });

  const pulse = createPulse(
    'database',
    () => askForLife(options),
    isReply,
    (isOpen) => {
      const fields = { event: 'circuit_changed', dependency: 'database', state: isOpen ? 2 : 0 };
      log[isOpen ? 'warn' : 'info'](fields, 'circuit of a dependency changed');
      onCircuit(isOpen);
    },
  );

  const connect = async (): Promise<PooledConnection> => {
    pulse.check();
    const client = await pulse
      .watch(() => pool.connect())
      .catch((error: unknown) => {
        throw toDatabaseError(error);
      });
    let isLost = false;
    // A connection that is lost between two statements emits an error, which would end the process without a listener.
    const onError = (error: unknown) => {
      isLost = true;
      logLoss(error);
    };
    client.on('error', onError);
    return {
      async query(text, values, timeoutMs) {
        const statement = { text, values: values.map(toStorable), query_timeout: timeoutMs };
        try {
          return await pulse.watch(() => client.query(statement));
        } catch (error) {
          isLost ||= isConnectionLost(error);
          throw toDatabaseError(error);
        }
      },
      release(isDiscarded = false) {
        client.off('error', onError);
        client.release(isLost || isDiscarded);
      },
    };
  };
  const hold = async <T>(work: (connection: PooledConnection) => Promise<T>): Promise<T> => {
    const connection = await connect();
    try {
      return await work(connection);
    } finally {
      connection.release();
    }
  };
  const transaction: PostgresPool['transaction'] = (work, statementMs) =>
    hold(async (connection) => {
      const timeoutMs = statementMs && statementMs + lostAfterMs;
      await connection.query(`BEGIN${statementMs ? `; SET LOCAL statement_timeout = ${statementMs}` : ''}`, []);
      try {
        const result = await work({
          query: async (text, values = []) => (await connection.query(text, values, timeoutMs)).rows,
        });
        const { command } = await connection.query('COMMIT', []);
        if (command !== 'COMMIT') throw new Error('a transaction was rolled back although its work has ended');
        return result;
      } catch (error) {
        await connection.query('ROLLBACK', []).catch(() => {});
        throw error;
      }
    });
  const close = async () => {
    pulse.close();
    await listener.close();
    // A server that does not answer must not keep the process.
    await within(() => pool.end(), { timeoutMs: connectTimeoutMs }).catch(logLoss);
  };
  try {
    await waitForServer(pool, settings);
  } catch (error) {
    await close();
    throw error;
  }
  if (statementTimeoutMs === 0) log.info({ event: 'database_without_limits' }, 'database has its own limits');
  return {
    query: (text, values = []) => hold(async (connection) => (await connection.query(text, values)).rows),
    transaction,
    connect,
    listen: listener.listen,
    close,
  };
}

/** Time for a connection that asks for a sign of life, in milliseconds; the pulse ends its wait itself. */
const lifeMs = 2000;

// On a connection of its own: those of the pool may all wait.
async function askForLife(options: pg.ClientConfig): Promise<void> {
  const client = new pg.Client({ ...options, connectionTimeoutMillis: lifeMs, query_timeout: lifeMs });
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query('SELECT 1');
  } finally {
    client.end().catch(() => {});
  }
}

// A server that refuses replies, as does a machine that refuses the connection. Time limits of pg have no code; that of the system has one.
const isReply = (error: unknown) => {
  if (error instanceof pg.DatabaseError) return true;
  const { code } = error as NodeJS.ErrnoException;
  return typeof code === 'string' && code !== 'ETIMEDOUT';
};

function clientOptions(settings: PostgresSettings): pg.ClientConfig {
  const { host, port, database, user, password, tls, statementTimeoutMs, connectTimeoutMs } = settings;
  const limits =
    statementTimeoutMs === 0
      ? { query_timeout: longestStatementMs }
      : {
          statement_timeout: statementTimeoutMs,
          idle_in_transaction_session_timeout: idleInTransactionMs,
          query_timeout: statementTimeoutMs + lostAfterMs,
        };
  return {
    ...{ host, port, database, user, password, ...limits },
    ssl: tls,
    application_name: 'ragmesh',
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    types: { getTypeParser },
  };
}

const [int8, numeric] = [20, 1700];

// Integers of ragmesh are below 2^53, and so are the sums of them, which PostgreSQL returns as numeric.
const getTypeParser: typeof pg.types.getTypeParser = (oid: number, format?: 'text' | 'binary') =>
  oid === int8 || oid === numeric ? Number : pg.types.getTypeParser(oid, format as 'text');

/** Returns a parameter that PostgreSQL can store: its text has no U+0000. */
export function toStorable(value: unknown): unknown {
  if (typeof value === 'string') return value.includes('\0') ? value.replaceAll('\0', '\uFFFD') : value;
  return Array.isArray(value) ? value.map(toStorable) : value;
}

async function waitForServer(pool: pg.Pool, settings: PostgresSettings): Promise<void> {
  const { connectTimeoutMs } = settings;
  const deadline = performance.now() + connectTimeoutMs;
  for (;;) {
    try {
      const { rows } = await pool.query<{ version: number }>(
        `SELECT current_setting('server_version_num')::int AS version`,
      );
      if ((rows[0]?.version ?? 0) < oldestVersion) throw new ConfigError('storage.database', 'needs PostgreSQL 14');
      return;
    } catch (error) {
      if (error instanceof ConfigError) throw error;
      if (mayPass(error) && performance.now() + retryMs < deadline) {
        await sleep(retryMs);
        continue;
      }
      const { message } = toDatabaseError(error) as Error;
      const reason = mayPass(error) ? `cannot be reached within ${connectTimeoutMs} ms` : 'cannot be used';
      throw new ConfigError(
        'storage.database',
        `PostgreSQL at ${describeAddress(settings)} ${reason}: ${reasonOf(error, message)}`,
      );
    }
  }
}

function reasonOf(error: unknown, advice: string): string {
  if (error instanceof pg.DatabaseError) return `${advice.replace(/^\[\w+\] /, '')} (${error.code})`;
  const { code, message } = error as NodeJS.ErrnoException;
  return `${code ?? message}: start it, or correct the URL`;
}
