import { ConfigError } from '#kit/base/config-error.ts';
import { unavailable } from '#kit/base/errors.ts';
import { within } from '#kit/base/within.ts';
import type { Place, Row, Rows } from './rows.ts';

/** Connects to a MySQL or MariaDB. Transactions are read-only, and times are in UTC. */
export async function openMysqlRows({
  host,
  address,
  port,
  database,
  user,
  password,
  tls,
  timeoutMs,
}: Place): Promise<Rows> {
  const { createConnection } = await load();
  const client = await createConnection({
    host: address,
    port,
    database,
    user,
    password,
    connectTimeout: 5000,
    charset: 'utf8mb4',
    dateStrings: true,
    supportBigNumbers: true,
    bigNumberStrings: true,
    ...(tls !== 'off' && { ssl: { servername: host, rejectUnauthorized: tls === 'verify' } as object }),
  }).catch((error: unknown) => {
    throw failed(error);
  });
  client.on('error', () => {});
  const query = async (sql: string, values: readonly string[], signal: AbortSignal) => {
    try {
      return await within(() => client.query({ sql, values: [...values], timeout: timeoutMs }), {
        timeoutMs,
        signals: [signal],
      });
    } catch (error) {
      signal.throwIfAborted();
      throw failed(error);
    }
  };
  const never = new AbortController().signal;
  await query('SET SESSION TRANSACTION READ ONLY', [], never);
  await query("SET SESSION time_zone = '+00:00'", [], never);
  return {
    read: async (sql, values, signal) => (await query(sql, values, signal))[0] as Row[],
    columns: async (sql, signal) =>
      (await query(`SELECT * FROM (${sql}) AS ragmesh_rows LIMIT 0`, [], signal))[1].map(({ name }) => name),
    close: () => client.end().catch(() => {}),
  };
}

async function load(): Promise<typeof import('mysql2/promise')> {
  try {
    return await import('mysql2/promise');
  } catch (error) {
    if ((error as { code?: string }).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new ConfigError('settings.engine', 'needs a package: npm install --no-save --save-prod --omit=dev mysql2');
  }
}

const failed = (error: unknown) =>
  unavailable(
    'mysql',
    `the database cannot be read: ${error instanceof Error ? error.message.slice(0, 300) : 'unknown'}`,
    error,
  );
