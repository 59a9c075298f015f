import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '../../base/log.ts';
import { checkDatabase, type Database, type Migrations, openDatabase } from '../../storage/database.ts';
import { lockFolder } from '../../storage/files/folder-lock.ts';
import { checkPostgresDatabase, openPostgresDatabase, schemaOf } from '../../storage/postgres/database.ts';
import type { PostgresPool } from '../../storage/postgres/pool.ts';
import { checkContent, damaged, isDamage, setAside } from '../../storage/sqlite/damage.ts';
import { createSqliteThread, type SqliteConnection } from '../../storage/sqlite/thread.ts';
import type { ServiceDeps } from '../define-service.ts';
import type { ReadinessCheck } from '../readiness.ts';

/** The records of the services of a process: their folders, locks and databases. */
export interface ProcessRecords {
  /** Returns what a service gets of them. */
  of(service: string): ServiceRecords;
  /** Closes every database. */
  closeDatabases(): Promise<void>;
  /** Releases every lock. */
  close(): Promise<void>;
}

/** The records of one service. */
export interface ServiceRecords extends Pick<ServiceDeps<unknown, never>, 'dataDir' | 'lockDataDir' | 'openDatabase'> {
  /** Checks of its databases. */
  readonly checks: ReadinessCheck[];
}

/** Creates the records under `dataDir`. `postgres`: the connections to PostgreSQL, if records are there. */
export function createProcessRecords(dataDir: string, postgres: PostgresPool | undefined, log: Logger): ProcessRecords {
  const thread = createSqliteThread();
  const databases: Database<unknown>[] = [];
  const locks: SqliteConnection[] = [];
  return {
    of(service) {
      const folder = join(dataDir, service);
      makePrivate(folder);
      const checks: ReadinessCheck[] = [];
      let lock: Promise<void> | undefined;
      const lockDataDir = () => {
        lock ??= lockFolder(thread, folder, service).then((held) => void locks.push(held));
        return lock;
      };
      const openHere = async <Schema>(name: string, migrations: Migrations): Promise<Database<Schema>> => {
        if (postgres !== undefined && migrations.postgres !== undefined) {
          const scripts = migrations.postgres;
          const place = { pool: postgres, schema: schemaOf(service), name };
          checks.push({ name: 'storage.database', check: () => checkPostgresDatabase(place, scripts) });
          return openPostgresDatabase<Schema>(place, scripts);
        }
        await lockDataDir();
        const path = join(folder, `${name}.db`);
        let damage: string | undefined;
        const openWhole = async () => {
          const database = await openDatabase<Schema>(thread, path, migrations.sqlite);
          await checkContent(thread, path, (detail) => {
            damage = detail;
          }).catch(async (error: unknown) => {
            await database.destroy();
            throw error;
          });
          return database;
        };
        checks.push({
          name: `${name}.db`,
          async check() {
            if (damage !== undefined) throw damaged(path, damage);
            await checkDatabase(thread, path, migrations.sqlite);
          },
        });
        return openWhole().catch((error: unknown) => {
          if (!isDamage(error)) throw error;
          if (migrations.isDisposable !== true) throw damaged(path, error.message);
          const aside = setAside(path);
          log.warn(
            { event: 'database_damaged', file: path, aside, reason: error.message },
            'damaged database made again',
          );
          return openWhole();
        });
      };
      return {
        dataDir: folder,
        checks,
        lockDataDir,
        async openDatabase<Schema>(name: string, migrations: Migrations) {
          const opened = await openHere<Schema>(name, migrations);
          databases.push(opened as Database<unknown>);
          return opened;
        },
      };
    },
    async closeDatabases() {
      for (const database of databases) await database.destroy();
    },
    async close() {
      for (const lock of locks) await lock.close();
      await thread.close();
    },
  };
}

/** Makes a folder that only the account of this process can read, also if an earlier release made it readable for others. */
function makePrivate(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  try {
    chmodSync(folder, 0o700);
  } catch {
    // It belongs to another account, as a volume of a container may: its owner decides.
  }
}
