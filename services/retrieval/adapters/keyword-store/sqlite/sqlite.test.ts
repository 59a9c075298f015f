import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSnapshots, type Snapshots } from '../../../snapshots/snapshots.ts';
import { createSqliteThreads } from '../../../sqlite/threads.ts';
import { keywordStoreSuite } from '../../../suites/keyword-store.suite.ts';
import { createSureSnapshots } from '../../../testing/snapshots.ts';
import { adapter } from './index.ts';

const create = (newSnapshots: () => Snapshots) => async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-keywords-'));
  const threads = createSqliteThreads(2);
  const store = await adapter.create({}, { folder, threads, snapshots: newSnapshots() });
  return {
    ...store,
    async close() {
      await store.close();
      await threads.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
};

keywordStoreSuite(
  'sqlite',
  create(() => createSnapshots(0)),
);
keywordStoreSuite('sqlite with copies in memory', create(createSureSnapshots));
