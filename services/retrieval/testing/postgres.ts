import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { StorageConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { createLogger } from '#kit/base/log.ts';
import { readSettings } from '#kit/host/config/adapter-settings.ts';
import { openPostgresDatabase, schemaOf } from '#kit/storage/postgres/database.ts';
import { openPostgres, type PostgresPool } from '#kit/storage/postgres/pool.ts';
import { readStorage } from '#kit/storage/postgres/settings.ts';
import type { TestPostgres } from '#kit/testing/postgres.ts';
import { adapter as keywordAdapter } from '../adapters/keyword-store/postgres/index.ts';
import { adapter as vectorAdapter } from '../adapters/vector-store/pgvector/index.ts';
import { createPostgresEngine } from '../catalog/engines/postgres.ts';
import { postgresMigrations } from '../catalog/engines/postgres-schema.ts';
import type { CatalogEngine } from '../catalog/engines/tables.ts';
import type { SqliteThreads } from '../sqlite/threads.ts';
import { type LocalRetrieval, type OpenRetrieval, openRetrieval } from './local-stores.ts';
import {
  createShortcuts,
  type RetrievalClient,
  retrievalWith,
  type StartRetrieval,
  startRetrieval,
} from './retrieval.ts';

// The service with its catalog in PostgreSQL and its stores in files, for suites that run on both engines.

/** Opens connections to a database. */
export async function openPool(url: string): Promise<PostgresPool> {
  const settings = readStorage(create(StorageConfigSchema, { database: url }));
  if (settings === undefined) throw new Error('no database');
  return openPostgres(settings, createLogger('silent'));
}

/** Opens the catalog of one replica; it closes the connections. */
export async function openPostgresEngine(pool: PostgresPool): Promise<CatalogEngine> {
  const schema = schemaOf('retrieval');
  await openPostgresDatabase({ pool, schema, name: 'catalog' }, postgresMigrations);
  const engine = createPostgresEngine({ pool, schema, random: Math.random, clock: Date.now });
  return {
    ...engine,
    async close() {
      await engine.close();
      await pool.close();
    },
  };
}

/** Returns how to start the service over new databases of a server; a folder that was kept has its database again. */
export function startingOn(server: () => TestPostgres): StartRetrieval {
  const urls = createUrls(server);
  return async (options = {}) =>
    startRetrieval({
      ...options,
      service: options.service ?? retrievalWith((stores) => stores),
      database: await urls(options.dataDir),
    });
}

/** Returns how to open the service over new databases of a server; a folder has its database again. */
export function openingOn(server: () => TestPostgres): OpenRetrieval {
  const urls = createUrls(server);
  return async (dataDir, threads, options) =>
    openRetrieval(dataDir, threads, {
      ...options,
      engine: await openPostgresEngine(await openPool(await urls(dataDir))),
    });
}

function createUrls(server: () => TestPostgres): (folder: string | undefined) => Promise<string> {
  const known = new Map<string, string>();
  return async (folder) => {
    const url = known.get(folder ?? '') ?? (await server().createDatabase());
    if (folder !== undefined) known.set(folder, url);
    return url;
  };
}

/** Methods that change an index. */
const changes = new Set<keyof RetrievalClient>([
  ...(['beginVersion', 'writeDocuments', 'removeDocuments', 'publishVersion', 'abandonVersion'] as const),
  ...(['purgeDocuments', 'rollbackVersion', 'putTerms'] as const),
]);

/**
 * Returns how to start two replicas over one database and one folder, with a client that sends each change to the other replica than the
 * change before, and each read to the replica that did not make the last change.
 */
export function startingPairOn(server: () => TestPostgres): StartRetrieval {
  return async (options = {}) => {
    const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'ragmesh-pair-'));
    const service = options.service ?? retrievalWith((stores) => stores);
    const database = await server().createDatabase();
    const first = await startRetrieval({ ...options, dataDir, service, database });
    const second = await startRetrieval({ ...options, dataDir, service, database });
    let [writer, reader] = [first, second];
    const client = new Proxy(first.client, {
      get(_target, name) {
        const method = name as keyof RetrievalClient;
        if (!changes.has(method)) return reader.client[method];
        [writer, reader] = [reader, writer];
        return writer.client[method];
      },
    });
    const close = async (keep?: boolean) => {
      await second.close(true);
      await first.close(keep);
    };
    return {
      ...first,
      ...createShortcuts(client, await first.as()),
      client,
      close,
      [Symbol.asyncDispose]: () => close(),
    };
  };
}

/** Opens a replica whose catalog and stores are in one database, in this process. */
export async function openReplica(url: string, threads: SqliteThreads): Promise<LocalRetrieval> {
  const pool = await openPool(url);
  const deps = { folder: '', threads, postgres: pool };
  const vectors = await vectorAdapter.create(readSettings(vectorAdapter.settings, {}, 'vectors'), deps);
  const keywords = await keywordAdapter.create(readSettings(keywordAdapter.settings, {}, 'keywords'), deps);
  return openRetrieval('', threads, {
    keptVersions: 1,
    stores: { vectors, keywords },
    engine: await openPostgresEngine(pool),
  });
}
