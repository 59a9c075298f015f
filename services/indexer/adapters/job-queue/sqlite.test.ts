import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createFromAdapter } from '#kit/adapters.ts';
import { type Database, openDatabase } from '#kit/database.ts';
import { createSqliteThread } from '#kit/sqlite/thread.ts';
import { jobQueueSuite } from '../../job-queue.suite.ts';
import type { JobQueue, JobQueueDeps } from '../../job-queue.ts';

jobQueueSuite('sqlite', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-queue-'));
  const thread = createSqliteThread();
  const databases: Database<unknown>[] = [];
  return {
    open(clock) {
      const deps: JobQueueDeps = {
        clock,
        async openDatabase<Schema>(name: string, migrations: readonly string[]) {
          const database = await openDatabase<Schema>(thread, join(folder, `${name}.db`), migrations);
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
