import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createFromAdapter } from '#kit/host/config/adapters.ts';
import { blobStoreSuite } from '../../suites/blob-store.suite.ts';
import { blobStoreDeps } from '../../testing/blob-store-deps.ts';
import type { BlobStore, BlobStoreDeps } from '../../uploads/blob-store.ts';
import { createUploads } from '../../uploads/uploads.ts';

const open = (folder: string) =>
  createFromAdapter<BlobStore, BlobStoreDeps>(new URL('./', import.meta.url), 'folder', {}, blobStoreDeps(folder), 'x');
const newFolder = () => mkdtempSync(join(tmpdir(), 'ragmesh-blobs-'));

blobStoreSuite('folder', async () => {
  const folder = newFolder();
  return {
    store: await open(folder),
    openAgain: () => open(folder),
    async damage(name) {
      const bytes = readFileSync(join(folder, name));
      bytes[3] = (bytes[3] ?? 0) ^ 1;
      writeFileSync(join(folder, name), bytes);
    },
    close: async () => rmSync(folder, { recursive: true, force: true }),
  };
});

test('an upload that the release before has stored is read', async () => {
  const folder = newFolder();
  const files = [{ path: 'a.md', mediaType: '', offset: 0, sizeBytes: 5, groups: [], attributes: {} }];
  writeFileSync(join(folder, 'old.bytes'), 'hello');
  writeFileSync(join(folder, 'old.json'), JSON.stringify(files));
  const { signal } = new AbortController();
  const upload = await createUploads(await open(folder)).find('old', signal);
  expect(upload?.files).toEqual(files);
  expect(Buffer.from((await upload?.read(0, 100, signal)) ?? []).toString()).toBe('hello');
  rmSync(folder, { recursive: true, force: true });
});
