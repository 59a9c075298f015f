import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keywordStoreSuite } from '../../keyword-store.suite.ts';
import { createSqliteThreads } from '../../sqlite-threads.ts';
import { adapter } from './sqlite.ts';

keywordStoreSuite('sqlite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-keywords-'));
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
