import { create } from '@bufbuild/protobuf';
import { ConnectError } from '@connectrpc/connect';
import { z } from 'zod';
import { StorageConfigSchema, StorageTlsConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { ConfigError } from '#kit/base/config-error.ts';
import { internal } from '#kit/base/errors.ts';
import { createLogger, type Logger } from '#kit/base/log.ts';
import { type Settings, secret } from '#kit/host/config/adapter-settings.ts';
import { openPostgresDatabase, schemaOf } from '#kit/storage/postgres/database.ts';
import { openPostgres, type PostgresConnection, type PostgresPool } from '#kit/storage/postgres/pool.ts';
import { readStorage } from '#kit/storage/postgres/settings.ts';
import { createRemoteCalls } from '../../../stores/remote/calls.ts';

// The connection of both stores to PostgreSQL: the process's own, which storage.database opens, or one to another server.

/** Settings of both stores. */
export const postgresSettings = {
  url: secret().describe('Another PostgreSQL, as in `storage.database`. Empty: that of `storage.database`').default(''),
  ca_file: z.string().describe('With `url`: file with the certificates (PEM) that sign that of the server').default(''),
  pool_size: z.int().min(1).max(1000).describe('With `url`: connections of a process').default(10),
  timeout_ms: z.int().min(100).max(600_000).describe('Longest time of a search, in milliseconds').default(10_000),
  write_timeout_ms: z
    .int()
    .min(100)
    .max(3_600_000)
    .describe('Longest time of a statement that changes rows, in milliseconds')
    .default(120_000),
};

/** Values of the settings of both stores. */
export type PostgresSettings = Settings<typeof postgresSettings>;

/** What the service gives to the stores. */
export interface PostgresDeps {
  /** The process's connections; `undefined` without storage.database. */
  postgres?: PostgresPool | undefined;
  /** @default silent */
  log?: Logger | undefined;
}

/** The place of a store's tables. */
export interface StorePlace {
  /** Path of the adapter in the configuration, for errors: "retrieval.vector_store". */
  path: string;
  /** The store's name in errors: "vector store". */
  name: string;
  /** Name of its set of tables in the schema. */
  tables: string;
  migrations: readonly string[];
  /** Prepares the database before the tables are made. */
  prepare?(pool: PostgresPool): Promise<void>;
}

/** The connection of a store. */
export interface StoreConnection {
  pool: PostgresPool;
  /** Runs reads within `timeout_ms` and the caller's signal. */
  read<T>(work: (connection: PostgresConnection) => Promise<T>, signal: AbortSignal): Promise<T>;
  /** Runs a change in one transaction. */
  write<T>(work: (connection: PostgresConnection) => Promise<T>, statementMs?: number): Promise<T>;
  close(): Promise<void>;
}

/** Schema of the tables of both stores. */
export const storeSchema = schemaOf('retrieval');

/** Opens the connection and brings the store's tables to their latest version. */
export async function connectStore(
  settings: PostgresSettings,
  { postgres, log = createLogger('silent') }: PostgresDeps,
  place: StorePlace,
): Promise<StoreConnection> {
  const own = settings.url === '' ? undefined : await openOwn(settings, log, place.path);
  const pool = own ?? postgres;
  if (pool === undefined) {
    throw new ConfigError(`${place.path}.settings.url`, 'needs a URL, or set storage.database');
  }
  const close = async () => own?.close();
  try {
    await place.prepare?.(pool);
    await openPostgresDatabase({ pool, schema: storeSchema, name: place.tables }, place.migrations);
  } catch (error) {
    await close();
    throw error;
  }
  const { timeout_ms: timeoutMs, write_timeout_ms: writeTimeoutMs } = settings;
  const read = createRemoteCalls({ name: place.name, timeoutMs, toError: toStoreError });
  return {
    pool,
    read: (work, signal) => read(() => work(pool), signal),
    async write(work, statementMs = writeTimeoutMs) {
      try {
        return await pool.transaction(work, statementMs);
      } catch (error) {
        throw toStoreError(error);
      }
    },
    close,
  };
}

async function openOwn(settings: PostgresSettings, log: Logger, path: string): Promise<PostgresPool> {
  const { url, ca_file: caFile, pool_size: poolSize } = settings;
  const tls = caFile === '' ? {} : { tls: create(StorageTlsConfigSchema, { caFile }) };
  try {
    const storage = readStorage(create(StorageConfigSchema, { database: url, poolSize, ...tls }));
    if (storage === undefined) throw new ConfigError('storage.database', 'is empty');
    return await openPostgres(storage, log);
  } catch (error) {
    // The kit names its own keys.
    if (error instanceof ConfigError) {
      throw new ConfigError(`${path}.settings.url`, error.message.slice(error.path.length + 2));
    }
    throw error;
  }
}

// The kit has named what may pass. What is left is a statement that PostgreSQL refuses: our bug.
function toStoreError(thrown: unknown): unknown {
  return thrown instanceof ConnectError ? thrown : internal(thrown);
}
