import { expect, test } from 'vitest';
import type { Logger } from '#kit/base/log.ts';
import type { SnapshotTarget } from './registry.ts';
import { createSnapshots } from './snapshots.ts';

test('a corpus that cannot be loaded is logged once, and loaded again after it has changed', async () => {
  const warnings: unknown[] = [];
  const log = { warn: (fields: unknown) => warnings.push(fields) } as unknown as Logger;
  const snapshots = createSnapshots(1024 * 1024, { log });
  const target: SnapshotTarget = {
    tenant: 'acme',
    space: '',
    source: { path: '/nowhere/index.db', extensions: [], corpusId: 1, vectors: undefined },
  };
  const query = { kind: 'words', words: [], aclIds: [], filter: undefined, limit: 1 } as const;
  const search = () => snapshots.search([{ target, version: 3 }], query, new AbortController().signal);
  try {
    for (let attempt = 0; attempt < 3; attempt++) {
      expect(search()).toBeUndefined();
      await snapshots.idle();
    }
    expect(warnings).toEqual([{ event: 'snapshot_failed', corpusId: 1, err: expect.any(Error) }]);
    await snapshots.during('acme', 1, { kind: 'purge', documentIds: [] }, undefined, async () => {});
    expect(search()).toBeUndefined();
    await snapshots.idle();
    expect(warnings).toHaveLength(2);
  } finally {
    await snapshots.close();
  }
});
