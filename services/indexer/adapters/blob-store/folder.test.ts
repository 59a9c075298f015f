import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createFromAdapter } from '#kit/host/config/adapters.ts';
import { setFolderKey } from '#kit/storage/encryption/folder-keys.ts';
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

const newEncryptedFolder = () => {
  const folder = newFolder();
  setFolderKey(folder, { database: '', file: new Uint8Array(32).fill(7) });
  return folder;
};

blobStoreSuite('encrypted folder', async () => {
  const folder = newEncryptedFolder();
  return {
    store: await open(folder),
    openAgain: () => open(folder),
    async damage(name) {
      const bytes = readFileSync(join(folder, name));
      bytes[30] = (bytes[30] ?? 0) ^ 1;
      writeFileSync(join(folder, name), bytes);
    },
    close: async () => rmSync(folder, { recursive: true, force: true }),
  };
});

test('a blob of an encrypted folder is readable in no file, and no path outside of the folder is accepted', async () => {
  const folder = newEncryptedFolder();
  const store = await open(folder);
  const { signal } = new AbortController();
  async function* bytes() {
    yield new TextEncoder().encode('planted-value '.repeat(10_000));
  }
  await store.write('a', bytes(), signal);
  expect(readFileSync(join(folder, 'a')).includes('planted-value')).toBe(false);
  expect(Buffer.from((await store.read('a', 70_000, 14, signal)) ?? []).toString()).toBe(
    'planted-value '.repeat(2).slice(0, 14),
  );
  const outside = newFolder();
  const create = createFromAdapter<BlobStore, BlobStoreDeps>(
    new URL('./', import.meta.url),
    'folder',
    { path: outside },
    blobStoreDeps(folder),
    'x',
  );
  await expect(create).rejects.toThrow('outside of data_dir');
  for (const each of [folder, outside]) rmSync(each, { recursive: true, force: true });
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
