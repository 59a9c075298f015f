import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '#gen/ragmesh/config/v1/config_pb.ts';
import { type Database, openDatabase } from '../storage/database.ts';
import { lockFolder } from '../storage/files/folder-lock.ts';
import { copyTables, type TableCopy } from '../storage/move/copy-tables.ts';
import { prepareProgress, readProgress, writeProgress } from '../storage/move/progress.ts';
import { openPostgresDatabase, schemaOf } from '../storage/postgres/database.ts';
import type { PostgresPool } from '../storage/postgres/pool.ts';
import { createSqliteThread } from '../storage/sqlite/thread.ts';
import type { MoveDeps, ServiceDefinition } from './define-service.ts';

/** A move of the records of an embedded installation to PostgreSQL. */
export interface Move {
  services: readonly ServiceDefinition[];
  /** The data folder; no process runs over it. */
  from: string;
  /** The configuration with the target as its storage. */
  config: Config;
  pool: PostgresPool;
  /** Called as rows are moved. */
  onProgress(label: string, rowCount: number): void;
}

/**
 * Moves the records of all services. It can be interrupted at any point and called again: it continues. Returns the rows moved by service.
 * Throws if a process runs over the folder, or the target has rows of its own, or the counts differ afterwards.
 */
export async function moveRecords({ services, from, config, pool, onProgress }: Move): Promise<Map<string, number>> {
  const thread = createSqliteThread();
  const counts = new Map<string, number>();
  try {
    await prepareProgress(pool);
    const moving = services.filter(({ move, name }) => move !== undefined && existsSync(join(from, name)));
    for (const { name } of moving) {
      mkdirSync(join(from, name), { recursive: true });
      await lockFolder(thread, join(from, name), name);
    }
    for (const definition of moving) {
      const { name } = definition;
      let rowCount = 0;
      const copy = async (tables: Omit<TableCopy, 'pool'>) => {
        rowCount += await copyTables({
          ...tables,
          pool,
          onRows: (table, count) => onProgress(`${tables.source}: ${table}`, count),
        });
      };
      const deps: MoveDeps<unknown> = {
        config: definition.config(config),
        folder: join(from, name),
        pool,
        copyTables: copy,
        async copyRecords(database, { sqlite, postgres }) {
          if (postgres === undefined) throw new Error(`${name}/${database} has no tables in PostgreSQL`);
          const path = join(from, name, `${database}.db`);
          if (!existsSync(path)) return;
          // An older file is brought to the latest version first.
          const source: Database<unknown> = await openDatabase(thread, path, sqlite);
          await source.destroy();
          const schema = schemaOf(name);
          await openPostgresDatabase({ pool, schema, name: database }, postgres);
          await copy({ source: `${name}/${database}`, path, schema });
        },
        async once(step, work) {
          const { isDone } = await readProgress(pool, name, step);
          if (isDone) return;
          await work((count) => onProgress(`${name}: ${step}`, count));
          await writeProgress(pool, name, step, { after: 'null', rowCount: 0, isDone: true });
        },
      };
      await definition.move?.(deps);
      counts.set(name, rowCount);
    }
    return counts;
  } finally {
    await thread.close();
  }
}
