import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ConnectError } from '@connectrpc/connect';
import { z } from 'zod';
import { ConfigError } from '#kit/base/config-error.ts';
import { unavailable } from '#kit/base/errors.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { type FolderKey, folderKeyOf } from '#kit/storage/encryption/folder-keys.ts';
import { openRange, sealStream } from '#kit/storage/encryption/sealed-file.ts';
import type { BlobStore, BlobStoreDeps } from '../../uploads/blob-store.ts';
import { damaged } from '../../uploads/uploads.ts';

/** Ending of the file of a write that has not ended. */
const unfinished = '.part';

async function openFolder(folder: string, key: FolderKey | undefined): Promise<BlobStore> {
  await mkdir(folder, { recursive: true });
  const pathOf = (name: string) => join(folder, name);
  return {
    async write(name, bytes, signal) {
      const path = pathOf(name);
      try {
        const file = await storing(() => open(path + unfinished, 'wx'));
        try {
          for await (const part of key === undefined ? bytes : sealStream(key, bytes)) {
            signal.throwIfAborted();
            await storing(() => writeAll(file, part));
          }
          await storing(() => file.sync());
        } finally {
          await file.close();
        }
        await storing(() => rename(path + unfinished, path));
        await storing(() => syncFolder(folder));
      } catch (error) {
        await rm(path, { force: true });
        await rm(path + unfinished, { force: true });
        throw error;
      }
    },

    async read(name, offset, sizeBytes) {
      let file: FileHandle;
      try {
        file = await open(pathOf(name), 'r');
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return undefined;
        throw unreadable(error);
      }
      try {
        if (key === undefined) return await readAll(file, offset, sizeBytes);
        const { size } = await file.stat();
        const range = openRange(key, size, (start, count) => readAll(file, start, count), offset, sizeBytes);
        return await range.catch((error: unknown) => {
          // An error of the disk has a name of its own; without one, the ciphertext is another than that which was written.
          throw codeOf(error) === undefined || codeOf(error) === 'ERR_OSSL_BAD_DECRYPT'
            ? damaged(`the upload ${name} is damaged`)
            : error;
        });
      } catch (error) {
        throw error instanceof ConnectError ? error : unreadable(error);
      } finally {
        await file.close();
      }
    },

    async remove(name) {
      await rm(pathOf(name), { force: true });
      await rm(pathOf(name) + unfinished, { force: true });
    },

    async *list(signal) {
      for (const file of await readdir(folder)) {
        signal.throwIfAborted();
        const facts = await stat(join(folder, file)).catch(unlessGone);
        const name = file.endsWith(unfinished) ? file.slice(0, -unfinished.length) : file;
        if (facts?.isFile()) yield { name, writtenAtMs: facts.mtimeMs };
      }
    },

    close: async () => {},
  };
}

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code;

const unreadable = (error: unknown) => unavailable('disk', 'the folder of uploads cannot be read', error);

function unlessGone(error: unknown): undefined {
  if (codeOf(error) !== 'ENOENT') throw error;
}

async function storing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const isFull = codeOf(error) === 'ENOSPC' || codeOf(error) === 'EDQUOT';
    const message = isFull
      ? 'the disk of the indexer is full: free some of it, then upload again'
      : 'cannot be written';
    throw unavailable('disk', isFull ? message : `the folder of uploads ${message}`, error);
  }
}

async function writeAll(file: FileHandle, part: Uint8Array): Promise<void> {
  for (let written = 0; written < part.byteLength; ) {
    const { bytesWritten } = await file.write(part, written);
    written += bytesWritten;
  }
}

async function readAll(file: FileHandle, offset: number, sizeBytes: number): Promise<Uint8Array> {
  const { size } = await file.stat();
  const bytes = new Uint8Array(Math.max(0, Math.min(sizeBytes, size - offset)));
  for (let count = 0; count < bytes.byteLength; ) {
    const { bytesRead } = await file.read(bytes, count, bytes.byteLength - count, offset + count);
    if (bytesRead === 0) return bytes.subarray(0, count);
    count += bytesRead;
  }
  return bytes;
}

/** Makes the names in a folder durable. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Keeps blobs in a folder, a file each. */
export const adapter = defineAdapter({
  settings: {
    path: z
      .string()
      .describe(
        'The folder. Empty: `uploads` in the folder of the service. Replicas share uploads only if all of them mount it',
      )
      .default(''),
  },
  create: ({ path }, { folder }: BlobStoreDeps) => {
    const chosen = path === '' ? folder : path;
    const key = folderKeyOf(chosen);
    if (key === undefined && folderKeyOf(folder) !== undefined) {
      throw new ConfigError(
        'indexer.blob_store.path',
        'is outside of data_dir, so nothing would be encrypted: leave it out',
      );
    }
    return openFolder(chosen, key);
  },
});
