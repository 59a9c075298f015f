import { createReadStream, type ReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** A file of a staged upload. */
export interface StagedFile {
  path: string;
  /** Media type from the upload, in lower case; empty if there is none. */
  mediaType: string;
  /** Position of its first byte in the upload. */
  offset: number;
  sizeBytes: number;
  /** Groups that may see its documents, unless a document says otherwise; empty: everyone in the tenant. */
  groups: readonly string[];
  attributes: Readonly<Record<string, string>>;
}

/** An upload whose bytes are durable. */
export interface StagedUpload {
  /** Path of the file with the bytes of all files, one after another. */
  bytesPath: string;
  files: readonly StagedFile[];
}

/** An upload that is being written. */
export interface UploadWriter {
  /** Writes the next bytes. */
  write(bytes: Uint8Array): Promise<void>;
  /** Makes the upload durable: once it resolves, the upload survives a kill. */
  finish(files: readonly StagedFile[]): Promise<void>;
  /** Removes everything that was written. */
  discard(): Promise<void>;
}

/** Stores the bytes of uploads until their jobs are done. */
export interface Uploads {
  begin(jobId: string): Promise<UploadWriter>;
  /** Returns a finished upload; `undefined` if it is gone. */
  find(jobId: string): Promise<StagedUpload | undefined>;
  /** Removes an upload, if it exists. */
  remove(jobId: string): Promise<void>;
  /** Returns the ids of jobs with stored bytes, finished or not. */
  list(): Promise<string[]>;
}

/**
 * Opens the uploads in a folder. An upload is two files: `<job>.bytes`, then `<job>.json` with the position of each file. One file
 * for all bytes needs one fsync, for any number of files.
 */
export async function openUploads(folder: string): Promise<Uploads> {
  await mkdir(folder, { recursive: true });
  const bytesPathOf = (jobId: string) => join(folder, `${jobId}.bytes`);
  const indexPathOf = (jobId: string) => join(folder, `${jobId}.json`);
  const remove = async (jobId: string) => {
    // The JSON file first: without it, the upload does not exist.
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

/** Reads the bytes of a staged file. */
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

/** Makes the names in a folder durable. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
