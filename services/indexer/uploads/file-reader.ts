import { createHash } from 'node:crypto';
import type { StagedFile } from './uploads.ts';

/** Reads a part of the bytes of an upload. Rejects if they are gone or cannot be read. */
export type ReadBytes = (offset: number, sizeBytes: number) => Promise<Uint8Array>;

/** Stored bytes could not be read, or are damaged: the documents are not at fault, and the job must not treat them as unreadable. */
export class UploadBytesError extends Error {
  override readonly name = 'UploadBytesError';
}

const windowBytes = 8 << 20;
const partBytes = 256 << 10;

/**
 * Returns a function that yields the bytes of files, read in their order, and compares each file that is read to its end with its
 * checksum. Bytes are read in windows, so that small files need no read each and a slow consumer holds no stream open.
 */
export function createFileReader(read: ReadBytes): (file: StagedFile) => AsyncIterable<Uint8Array> {
  let window: { offset: number; bytes: Uint8Array } = { offset: 0, bytes: new Uint8Array() };
  const at = async (offset: number): Promise<Uint8Array> => {
    const end = window.offset + window.bytes.byteLength;
    if (offset < window.offset || offset >= end) window = { offset, bytes: await read(offset, windowBytes) };
    return window.bytes.subarray(offset - window.offset);
  };
  return async function* (file) {
    const hash = file.sha256 === undefined ? undefined : createHash('sha256');
    for (let count = 0; count < file.sizeBytes; ) {
      const found = await at(file.offset + count);
      if (found.byteLength === 0) throw new UploadBytesError(`the stored bytes end inside "${file.path}"`);
      const part = found.subarray(0, Math.min(partBytes, file.sizeBytes - count));
      hash?.update(part);
      count += part.byteLength;
      // The last part is withheld until the checksum is known to be right.
      if (count === file.sizeBytes && hash !== undefined && hash.digest('hex') !== file.sha256) {
        throw new UploadBytesError(`the stored bytes of "${file.path}" are damaged`);
      }
      yield part;
    }
  };
}
