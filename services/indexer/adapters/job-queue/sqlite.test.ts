import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createFromAdapter } from '#kit/host/config/adapters.ts';
import { type Database, type Migrations, openDatabase } from '#kit/storage/database.ts';
import { createSqliteThread } from '#kit/storage/sqlite/thread.ts';
import type { JobQueue, JobQueueDeps } from '../../jobs/job-queue.ts';
import { jobQueueSuite } from '../../suites/job-queue.suite.ts';

jobQueueSuite('sqlite', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-queue-'));
  const thread = createSqliteThread();
  const databases: Database<unknown>[] = [];
  return {
    open(clock) {
      const deps: JobQueueDeps = {
        clock,
        async openDatabase<Schema>(name: string, { sqlite }: Migrations) {
          const database = await openDatabase<Schema>(thread, join(folder, `${name}.db`), sqlite);
          databases.push(database as Database<unknown>);
          return database;
        },
      };
      return createFromAdapter<JobQueue, JobQueueDeps>(
        new URL('./', import.meta.url),
        'sqlite',
        undefined,
        deps,
        'queue',
      );
    },
    async close() {
      for (const database of databases) await database.destroy();
      await thread.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
});
