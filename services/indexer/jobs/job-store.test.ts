import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { type Database, openDatabase } from '#kit/storage/database.ts';
import { createSqliteThread } from '#kit/storage/sqlite/thread.ts';
import { jobStoreSuite } from '../suites/job-store.suite.ts';
import { createJobStore } from './create-job-store.ts';
import { type JobsSchema, jobsMigrations } from './job-table.ts';

const createCase = () => {
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-jobs-'));
  const path = join(folder, 'jobs.db');
  const thread = createSqliteThread();
  const databases: Database<JobsSchema>[] = [];
  return {
    path,
    replicaCount: 1,
    async open(clock: () => number) {
      const database = await openDatabase<JobsSchema>(thread, path, jobsMigrations.sqlite);
      databases.push(database);
      return createJobStore(database, clock);
    },
    async close() {
      for (const database of databases) await database.destroy();
      await thread.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
};

jobStoreSuite('SQLite', createCase);

test('jobs of the release before are there, and the waiting ones are announced', async () => {
  const { path, open, close } = createCase();
  const db = new DatabaseSync(path);
  db.exec(jobsMigrations.sqlite[0] as string);
  db.exec('PRAGMA user_version = 1');
  db.exec(`INSERT INTO jobs (job_id, tenant, user, groups, corpus, delete_missing, state, phase, progress, checkpoint, created_at, updated_at, due_at)
    VALUES ('old', 'acme', 'ann', '["staff"]', 'help', 0, 1, 0, '{"totalBytes":7}', '{"isBuilding":false}', 5, 5, 5)`);
  db.close();
  const jobs = await open(() => 1000);
  expect(await jobs.list({ limit: 10 })).toMatchObject([
    { jobId: 'old', groups: ['staff'], progress: { totalBytes: 7 } },
  ]);
  expect(await jobs.announce(30_000, 10)).toEqual([{ jobId: 'old', tenant: 'acme', corpus: 'help', isUrgent: false }]);
  await close();
});
