import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSnapshots, type Snapshots } from '../../../snapshots/snapshots.ts';
import { createSqliteThreads } from '../../../sqlite/threads.ts';
import { vectorStoreSuite } from '../../../suites/vector-store.suite.ts';
import { createSureSnapshots } from '../../../testing/snapshots.ts';
import { adapter } from './index.ts';

const create = (newSnapshots: () => Snapshots) => async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-vectors-'));
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

vectorStoreSuite(
  'sqlite',
  create(() => createSnapshots(0)),
);
vectorStoreSuite('sqlite with copies in memory', create(createSureSnapshots));
