import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '#gen/ragmesh/config/v1/config_pb.ts';
import { checkDatabase, type Database, type Migrations, openDatabase } from '../storage/database.ts';
import { lockFolder } from '../storage/folder-lock.ts';
import { checkPostgresDatabase, openPostgresDatabase, schemaOf } from '../storage/postgres/database.ts';
import { createSqliteThread, type SqliteConnection } from '../storage/sqlite/thread.ts';
import type { RunningService, ServiceDefinition, ServiceDeps } from './define-service.ts';
import type { Faces } from './faces.ts';
import { checkRpcNames, inOrderOfNeeds } from './order.ts';
import type { Reach } from './reach.ts';
import type { ReadinessCheck, ReadinessMonitor } from './readiness.ts';

/** What services are started with. */
export interface StartDeps
  extends Pick<ServiceDeps<unknown, never>, 'log' | 'metrics' | 'clock' | 'random' | 'signer' | 'env' | 'postgres'> {
  config: Config;
  /** Folder of the process; each service has one of its own in it. */
  dataDir: string;
  faces: Faces;
  reach: Reach;
  readiness: ReadinessMonitor;
}

/** The running services of a process. */
export interface StartedServices {
  /** By name, in the order in which they have started. */
  running: ReadonlyMap<string, RunningService>;
  /** Closes services in reverse order, then databases, connections and locks. */
  close(): Promise<void>;
}

/**
 * Starts services in the order of their needs and mounts their contracts. Throws if one cannot start; those that have started are closed
 * then.
 */
export async function startServices(
  services: readonly ServiceDefinition[],
  { config, dataDir, faces, reach, readiness, ...shared }: StartDeps,
): Promise<StartedServices> {
  const records = createSqliteThread();
  const running = new Map<string, RunningService>();
  const databases: Database<unknown>[] = [];
  const locks: SqliteConnection[] = [];
  const close = async () => {
    for (const [, service] of [...running].reverse()) await service.close();
    for (const database of databases) await database.destroy();
    reach.close();
    for (const lock of locks) await lock.close();
    await records.close();
  };

  const start = async (definition: ServiceDefinition): Promise<void> => {
    const { name } = definition;
    checkRpcNames(definition);
    const folder = join(dataDir, name);
    mkdirSync(folder, { recursive: true });
    const checks: ReadinessCheck[] = [];
    let lock: Promise<void> | undefined;
    const lockDataDir = () => {
      lock ??= lockFolder(records, folder, name).then((held) => void locks.push(held));
      return lock;
    };
    const openHere = async <Schema>(database: string, { sqlite, postgres }: Migrations): Promise<Database<Schema>> => {
      if (shared.postgres !== undefined && postgres !== undefined) {
        const place = { pool: shared.postgres, schema: schemaOf(name), name: database };
        checks.push({ name: 'storage.database', check: () => checkPostgresDatabase(place, postgres) });
        return openPostgresDatabase<Schema>(place, postgres);
      }
      await lockDataDir();
      const path = join(folder, `${database}.db`);
      checks.push({ name: `${database}.db`, check: () => checkDatabase(records, path, sqlite) });
      return openDatabase<Schema>(records, path, sqlite);
    };
    const service = (await definition.create({
      ...shared,
      config: definition.config(config),
      wholeConfig: config,
      clients: reach.clientsOf(definition.needs),
      optionalClients: reach.optionalClientsOf(definition),
      published: reach.publishedFor(definition),
      log: shared.log.child({ service: name }),
      dataDir: folder,
      lockDataDir,
      openDatabase: async <Schema>(database: string, migrations: Migrations) => {
        const opened = await openHere<Schema>(database, migrations);
        databases.push(opened as Database<unknown>);
        return opened;
      },
    })) as RunningService;
    running.set(name, service);
    readiness.add(name, [...checks, ...(service.readiness ?? [])]);
    faces.mountService(definition.contracts, service.impl);
  };

  try {
    for (const definition of inOrderOfNeeds(services)) await start(definition);
    return { running, close };
  } catch (error) {
    await close();
    throw error;
  }
}
