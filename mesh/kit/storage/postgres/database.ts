import { createHash } from 'node:crypto';
import { Kysely, sql, type Transaction } from 'kysely';
import pg from 'pg';
import type { Database } from '../database.ts';
import type { RowsQuery } from '../insert-rows.ts';
import { createPostgresDialect } from './dialect.ts';
import type { PostgresConnection, PostgresPool } from './pool.ts';

/** Longest time of a statement of a migration, and of the wait for another replica that migrates, in milliseconds. */
const longestMigrationMs = 3_600_000;

/** A place for tables: a schema of PostgreSQL, and the name of the set of tables in it, for a service that has several. */
export interface PostgresPlace {
  readonly pool: PostgresPool;
  readonly schema: string;
  readonly name: string;
}

/** Returns a name as SQL reads it whatever it contains: "user" in quotation marks. */
export const quoteName: (name: string) => string = pg.escapeIdentifier;

/** Returns the schema of a service: "ragmesh_llm_gateway". */
export function schemaOf(service: string): string {
  return `ragmesh_${service.replaceAll('-', '_')}`;
}

/**
 * Opens tables and brings them to their latest version: `migrations[i]` leads from version i to i + 1. All missing steps run in one
 * transaction, under a lock, so that several replicas may start at the same time. Tables are named without their schema, in migrations
 * and in queries of Kysely; SQL text of queries has to name it. Never change a migration that was released; add one.
 */
export async function openPostgresDatabase<Schema>(
  place: PostgresPlace,
  migrations: readonly string[],
): Promise<Database<Schema>> {
  await place.pool.transaction((connection) => migrate(connection, place, migrations), longestMigrationMs);
  const { pool, schema } = place;
  return new Kysely<Schema>({ dialect: createPostgresDialect(pool) }).withSchema(schema);
}

/** Rejects if PostgreSQL cannot be reached, or if the tables are not those that were opened. */
export async function checkPostgresDatabase(place: PostgresPlace, migrations: readonly string[]): Promise<void> {
  const version = await versionOf(place.pool, place);
  // A newer version is a replica of a newer program: migrations are made so that the program before works with them.
  if (version < migrations.length) {
    throw new Error(`the tables were replaced: version ${version} instead of ${migrations.length}; restart`);
  }
}

/**
 * Locks names until the transaction ends; waits for other transactions that hold one of them. The order is the same in every caller, so
 * two of them never wait for each other. `scope` sets apart names of different kinds. `isAwaited: false`: resolves before the lock is held;
 * it is held when the next statement of the transaction runs.
 */
export async function lockNames<Schema>(
  transaction: Transaction<Schema>,
  scope: string,
  names: readonly string[],
  { isAwaited = true } = {},
): Promise<void> {
  const keys = names.map((name) => lockKey(scope, name)).sort();
  if (keys.length === 0) return;
  const query = sql`SELECT pg_advisory_xact_lock(key) FROM unnest(${keys}::bigint[]) AS key`.compile(transaction);
  const locking: RowsQuery<unknown> = { ...query, rowCount: 1, returnsRows: isAwaited };
  await transaction.executeQuery(locking);
}

/** Returns the number that PostgreSQL locks for a name. */
export function lockKey(scope: string, name: string): string {
  return createHash('sha256')
    .update(JSON.stringify([scope, name]))
    .digest()
    .readBigInt64BE()
    .toString();
}

async function migrate(
  connection: PostgresConnection,
  place: PostgresPlace,
  migrations: readonly string[],
): Promise<void> {
  const { schema, name } = place;
  const quoted = pg.escapeIdentifier(schema);
  await connection.query('SELECT pg_advisory_xact_lock($1)', [lockKey('migration', schema)]);
  if (!(await hasMigrations(connection, schema))) {
    // A user without the right to create schemas can use one that was made for it.
    const [found] = await connection.query('SELECT 1 FROM pg_namespace WHERE nspname = $1', [schema]);
    if (found === undefined) await connection.query(`CREATE SCHEMA ${quoted}`);
    await connection.query(`CREATE TABLE ${quoted}.migration (name text PRIMARY KEY, version integer NOT NULL)`);
  }
  const version = await versionOf(connection, place);
  if (version > migrations.length) {
    throw new Error(
      `the database is at version ${version}, newer than this program (${migrations.length}): update ragmesh`,
    );
  }
  if (version === migrations.length) return;
  await connection.query(`SET LOCAL search_path TO ${quoted}, public`);
  for (const migration of migrations.slice(version)) await connection.query(migration);
  await connection.query(
    `INSERT INTO migration (name, version) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET version = excluded.version`,
    [name, migrations.length],
  );
}

async function hasMigrations(connection: PostgresConnection, schema: string): Promise<boolean> {
  const [row] = await connection.query<{ found: string | null }>('SELECT to_regclass($1) AS found', [
    `${pg.escapeIdentifier(schema)}.migration`,
  ]);
  return row?.found != null;
}

async function versionOf(connection: PostgresConnection, { schema, name }: PostgresPlace): Promise<number> {
  const [row] = await connection.query<{ version: number }>(
    `SELECT version FROM ${pg.escapeIdentifier(schema)}.migration WHERE name = $1`,
    [name],
  );
  return row?.version ?? 0;
}
