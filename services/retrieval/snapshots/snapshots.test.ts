import { expect, test } from 'vitest';
import type { Logger } from '#kit/base/log.ts';
import { createSnapshots, type SnapshotTarget } from './snapshots.ts';

test('a version that cannot be loaded is logged once, and loaded again after it has changed', async () => {
  const warnings: unknown[] = [];
  const snapshots = createSnapshots(1024 * 1024, {
    warn: (fields: unknown) => warnings.push(fields),
  } as unknown as Logger);
  const wanted: SnapshotTarget[] = [
    {
      tenant: 'acme',
      space: '',
      source: { path: '/nowhere/index.db', extensions: [], corpusId: 1, version: 3, vectors: undefined },
    },
  ];
  const search = () =>
    snapshots.search(wanted, { kind: 'words', words: [], aclIds: [], limit: 1 }, new AbortController().signal);
  try {
    for (let attempt = 0; attempt < 3; attempt++) {
      expect(search()).toBeUndefined();
      await snapshots.idle();
    }
    expect(warnings).toEqual([{ event: 'snapshot_failed', corpusId: 1, version: 3, err: expect.any(Error) }]);
    await snapshots.during('acme', 1, { kind: 'purge', documentIds: [] }, async () => {});
    expect(search()).toBeUndefined();
    await snapshots.idle();
    expect(warnings).toHaveLength(2);
  } finally {
    await snapshots.close();
  }
});
