import { closeSync, fstatSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { type ColumnCipher, type ColumnSeal, openColumn, sealColumn } from '#kit/storage/encryption/sealed-file.ts';
import type { SnapshotSource } from '../build/source.ts';
import type { Segment } from '../segment.ts';
import { columnsOf, readSegment } from './image-segment.ts';

// The file of an image: the columns of its segments one after another, a directory of them as JSON, and an end of 16 bytes: a mark with the
// number of the format, the size of the directory, and its CRC-32. Numbers are in the byte order of the machine, little-endian on all that Node
// supports.

/** A column in the file. */
interface StoredColumn {
  name: string;
  sizeBytes: number;
  /** CRC-32 of its bytes. */
  checksum: number;
  /** How it is encrypted; absent if it is not. */
  seal?: ColumnSeal | undefined;
}

/** The columns of each segment, in the order of the file. */
export type ImageParts = readonly (readonly StoredColumn[])[];

interface Directory {
  imageId: string;
  segments: ImageParts;
}

/** Number of the format; it changes with every change of what is in the file. */
const mark = Buffer.from('RAGIMG02', 'latin1');
const endBytes = mark.length + 8;
/** Largest directory: that of some hundred segments. */
const maxDirectoryBytes = 1024 * 1024;
/** Bytes that are read or written in one step. */
const stepBytes = 4 * 1024 * 1024;

/** Begins a file with these segments, on disk when it returns. An incomplete file is no image. */
export function beginImage(path: string, segments: readonly Segment[]): ImageParts {
  return withFile(path, 'w', (file) => segments.map((segment) => writeSegment(file, path, segment)));
}

/** Completes a file with more segments and its directory. `parts`: what {@link beginImage} returned. */
export function endImage(path: string, imageId: string, parts: ImageParts, segments: readonly Segment[]): void {
  withFile(path, 'a', (file) => {
    const all = [...parts, ...segments.map((segment) => writeSegment(file, path, segment))];
    const directory = Buffer.from(JSON.stringify({ imageId, segments: all } satisfies Directory), 'utf8');
    const end = Buffer.alloc(endBytes);
    end.set(mark);
    end.writeUInt32LE(directory.length, mark.length);
    end.writeUInt32LE(crc32(directory), mark.length + 4);
    writeAll(file, directory);
    writeAll(file, end);
  });
}

/** Reads the segments of a file; no row is in any version yet. Throws if it is damaged, of another format, or another image. */
export function readImage(path: string, imageId: string, source: SnapshotSource, keepsVectors: boolean): Segment[] {
  const file = openSync(path, 'r');
  try {
    const directory = readDirectory(file);
    if (directory.imageId !== imageId) throw new Error('the file has another image');
    let start = 0;
    return directory.segments.map((columns) => {
      const places = new Map<string, StoredColumn & { start: number }>();
      for (const column of columns) {
        places.set(column.name, { ...column, start });
        start += column.sizeBytes;
      }
      const read = (name: string, target?: Uint8Array) => {
        const place = places.get(name);
        if (place === undefined) throw new Error(`the image has no column ${name}`);
        const into = target ?? new Uint8Array(new SharedArrayBuffer(place.sizeBytes));
        if (into.byteLength !== place.sizeBytes) throw new Error(`the column ${name} has another size`);
        const cipher = openColumn(path, place.seal);
        if (readAll(file, into, place.start, cipher) !== place.checksum)
          throw new Error(`the column ${name} is damaged`);
        return into.buffer as SharedArrayBuffer;
      };
      return readSegment(source, new Set(places.keys()), read, keepsVectors);
    });
  } finally {
    closeSync(file);
  }
}

function readDirectory(file: number): Directory {
  const { size } = fstatSync(file);
  const end = Buffer.alloc(endBytes);
  if (size < endBytes) throw new Error('the image is too short');
  readAll(file, end, size - endBytes);
  if (!end.subarray(0, mark.length).equals(mark)) throw new Error('the image has another format');
  const sizeBytes = end.readUInt32LE(mark.length);
  if (sizeBytes > Math.min(maxDirectoryBytes, size - endBytes)) throw new Error('the directory is too large');
  const bytes = Buffer.alloc(sizeBytes);
  if (readAll(file, bytes, size - endBytes - sizeBytes) !== end.readUInt32LE(mark.length + 4)) {
    throw new Error('the directory is damaged');
  }
  return JSON.parse(bytes.toString('utf8')) as Directory;
}

function writeSegment(file: number, path: string, segment: Segment): StoredColumn[] {
  const step = new Uint8Array(stepBytes);
  return columnsOf(segment).map(([name, { buffer, byteOffset, byteLength }]) => {
    const bytes = new Uint8Array(buffer, byteOffset, byteLength);
    const cipher = sealColumn(path);
    let checksum = 0;
    for (let start = 0; start < byteLength; start += stepBytes) {
      // A copy: a purge may overwrite the vectors meanwhile, and the checksum is that of what is written.
      const part = step.subarray(0, Math.min(stepBytes, byteLength - start));
      part.set(bytes.subarray(start, start + part.length));
      checksum = crc32(part, checksum);
      writeAll(file, cipher?.update(part) ?? part);
    }
    return { name, sizeBytes: byteLength, checksum, seal: cipher?.end() };
  });
}

function withFile<T>(path: string, flags: 'w' | 'a', work: (file: number) => T): T {
  const file = openSync(path, flags, 0o600);
  try {
    const result = work(file);
    fsyncSync(file);
    return result;
  } finally {
    closeSync(file);
  }
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written);
}

/** Reads as many bytes as the target has, decrypts them, and returns their CRC-32. Throws if a cipher finds that they were changed. */
function readAll(file: number, target: Uint8Array, start: number, cipher?: ColumnCipher<void>): number {
  let checksum = 0;
  for (let filled = 0; filled < target.length; ) {
    const part = target.subarray(filled, filled + stepBytes);
    const count = readSync(file, part, 0, part.length, start + filled);
    if (count === 0) throw new Error('the image is too short');
    const read = part.subarray(0, count);
    if (cipher !== undefined) read.set(cipher.update(read));
    checksum = crc32(read, checksum);
    filled += count;
  }
  cipher?.end();
  return checksum;
}
