import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '#kit/storage/database.ts';
import { createSqliteThread } from '#kit/storage/sqlite/thread.ts';
import { sourceRecordsSuite } from '../../suites/source-records.suite.ts';
import { type SourcesSchema, sourcesMigrations } from './source-table.ts';

sourceRecordsSuite('SQLite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-sources-'));
  const thread = createSqliteThread();
  const db = await openDatabase<SourcesSchema>(thread, join(folder, 's.db'), sourcesMigrations.sqlite);
  return {
    replicaCount: 1,
    open: async () => db,
    async close() {
      await db.destroy();
      await thread.close();
      rmSync(folder, { recursive: true });
    },
  };
});
