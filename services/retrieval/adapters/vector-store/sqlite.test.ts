import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSqliteThreads } from '../../sqlite-threads.ts';
import { vectorStoreSuite } from '../../vector-store.suite.ts';
import { adapter } from './sqlite.ts';

vectorStoreSuite('sqlite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-vectors-'));
  const threads = createSqliteThreads(2);
  const store = await adapter.create({}, { folder, threads });
  return {
    ...store,
    async close() {
      await store.close();
      await threads.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
});
