import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '#kit/storage/database.ts';
import { createSqliteThread } from '#kit/storage/sqlite/thread.ts';
import { migrations, type PrivacySchema } from '../records/schema.ts';
import { sweepsSuite } from '../suites/sweeps.suite.ts';
import { createSweepStore } from './sweep-store.ts';

sweepsSuite('SQLite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-sweeps-'));
  const thread = createSqliteThread();
  const db = await openDatabase<PrivacySchema>(thread, join(folder, 'privacy.db'), migrations.sqlite);
  return {
    replicas: [createSweepStore(db)],
    async close() {
      await db.destroy();
      await thread.close();
      rmSync(folder, { recursive: true });
    },
  };
});
