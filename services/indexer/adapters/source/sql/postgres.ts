import pg from 'pg';
import { unavailable } from '#kit/base/errors.ts';
import { within } from '#kit/base/within.ts';
import type { Place, Row, Rows } from './rows.ts';

/** Connects to a PostgreSQL. Transactions are read-only, and times are in UTC. */
export async function openPostgresRows({
  host,
  address,
  port,
  database,
  user,
  password,
  tls,
  timeoutMs,
}: Place): Promise<Rows> {
  const client = new pg.Client({
    host: address,
    port,
    database,
    user,
    password,
    connectionTimeoutMillis: 5000,
    statement_timeout: timeoutMs,
    options: '-c default_transaction_read_only=on -c timezone=UTC',
    application_name: 'ragmesh',
    ssl: tls === 'off' ? false : { servername: host, rejectUnauthorized: tls === 'verify' },
  });
  client.on('error', () => {});
  const query = async (sql: string, values: readonly string[], signal: AbortSignal) => {
    try {
      return await within(() => client.query<Record<string, unknown>>(sql, [...values]), {
        timeoutMs,
        signals: [signal],
      });
    } catch (error) {
      signal.throwIfAborted();
      throw failed(error);
    }
  };
  try {
    await client.connect();
  } catch (error) {
    throw failed(error);
  }
  return {
    read: async (sql, values, signal): Promise<Row[]> => (await query(sql, values, signal)).rows,
    columns: async (sql, signal) =>
      (await query(`SELECT * FROM (${sql}) AS ragmesh_rows LIMIT 0`, [], signal)).fields.map(({ name }) => name),
    close: () => client.end().catch(() => {}),
  };
}

const failed = (error: unknown) =>
  unavailable(
    'postgres',
    `the database cannot be read: ${error instanceof Error ? error.message.slice(0, 300) : 'unknown'}`,
    error,
  );
