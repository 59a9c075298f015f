import { createReadStream, type ReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** A file of a staged upload. */
export interface StagedFile {
  path: string;
  /** As it was given, lower case; empty where none was. */
  mediaType: string;
  /** Where its bytes begin in the upload. */
  offset: number;
  sizeBytes: number;
  /** Groups that may see its documents where they say nothing of their own; empty: everyone in the tenant. */
  groups: readonly string[];
  attributes: Readonly<Record<string, string>>;
}

/** An upload whose bytes are durable. */
export interface StagedUpload {
  /** File that holds the bytes of all its files, one after another. */
  bytesPath: string;
  files: readonly StagedFile[];
}

/** An upload that is being written. */
export interface UploadWriter {
  /** The next bytes of the last file begun. */
  write(bytes: Uint8Array): Promise<void>;
  /** Makes it durable: after this it survives a kill. */
  finish(files: readonly StagedFile[]): Promise<void>;
  /** Leaves nothing behind. */
  discard(): Promise<void>;
}

/** Bytes of uploads until their jobs are done. */
export interface Uploads {
  begin(jobId: string): Promise<UploadWriter>;
  /** A finished upload; `undefined` where it is gone. */
  find(jobId: string): Promise<StagedUpload | undefined>;
  /** Removes an upload; nothing happens where it is gone. */
  remove(jobId: string): Promise<void>;
  /** Jobs that have bytes here, finished or not. */
  list(): Promise<string[]>;
}

/**
 * Uploads in a folder, an upload in two files: `<job>.bytes` and then `<job>.json`, which says what is where. One file for all
 * bytes is one fsync, however many files there are.
 */
export async function openUploads(folder: string): Promise<Uploads> {
  await mkdir(folder, { recursive: true });
  const bytesPathOf = (jobId: string) => join(folder, `${jobId}.bytes`);
  const indexPathOf = (jobId: string) => join(folder, `${jobId}.json`);
  const remove = async (jobId: string) => {
    // The index first: an upload without it is not there.
    await rm(indexPathOf(jobId), { force: true });
    await rm(bytesPathOf(jobId), { force: true });
  };
  return {
    async begin(jobId) {
      const bytes = await open(bytesPathOf(jobId), 'wx');
      return {
        write: (part) => writeAll(bytes, part),
        async finish(files) {
          await bytes.sync();
          await bytes.close();
          const index = await open(indexPathOf(jobId), 'wx');
          try {
            await index.writeFile(JSON.stringify(files));
            await index.sync();
          } finally {
            await index.close();
          }
          await syncFolder(folder);
        },
        async discard() {
          await bytes.close();
          await remove(jobId);
        },
      };
    },
    async find(jobId) {
      try {
        const files = JSON.parse(await readFile(indexPathOf(jobId), 'utf8')) as StagedFile[];
        return { bytesPath: bytesPathOf(jobId), files };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw error;
      }
    },
    remove,
    async list() {
      const names = await readdir(folder);
      return [...new Set(names.map((name) => name.replace(/\.(?:bytes|json)$/, '')))];
    },
  };
}

/** The bytes of a staged file. */
export function readStagedFile(
  { bytesPath }: StagedUpload,
  { offset, sizeBytes }: StagedFile,
): AsyncIterable<Uint8Array> {
  if (sizeBytes === 0) return (async function* () {})();
  const range = { start: offset, end: offset + sizeBytes - 1, highWaterMark: 256 << 10 };
  return createReadStream(bytesPath, range) as ReadStream as AsyncIterable<Uint8Array>;
}

async function writeAll(handle: FileHandle, part: Uint8Array): Promise<void> {
  for (let written = 0; written < part.byteLength; ) {
    const { bytesWritten } = await handle.write(part, written);
    written += bytesWritten;
  }
}

/** Makes the names in a folder durable, as fsync of a file makes its bytes. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
