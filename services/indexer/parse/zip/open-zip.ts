import type { Readable } from 'node:stream';
import { type Entry, fromBufferPromise, validateFileName, type ZipFile } from 'yauzl';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { UnreadableError } from '../parser.ts';
import { decodeNames } from './entry-names.ts';

// ZIP archives, also those that documents of Office, OpenDocument and EPUB are. What an archive says about sizes is checked before
// anything is inflated, and what comes out is counted.

/** A file in an archive. */
export interface ZipEntry {
  /** Path with "/" between folders. */
  name: string;
  /** Size after inflating, as the archive says. */
  sizeBytes: number;
  /** Why it must not be read: its path leads outside, or it is encrypted, or a bomb. `undefined` if it may be. */
  problem: UnreadableError | undefined;
}

/** An open archive. */
export interface ZipArchive {
  /** Its files, without folders, in its order. */
  readonly entries: readonly ZipEntry[];
  find(name: string): ZipEntry | undefined;
  /** Yields the bytes of a file. Throws its problem, and UnreadableError if it is damaged or larger than the archive says. */
  stream(entry: ZipEntry): AsyncIterable<Uint8Array>;
  read(entry: ZipEntry): Promise<Buffer>;
}

/** Limits of an archive. A ratio counts only for files that would be large. */
export const zipMax = { bytes: 128 << 20, entries: 20_000, inflatedBytes: 512 << 20, ratio: 200, ratioBytes: 8 << 20 };

/**
 * Opens an archive in memory. Throws UnreadableError if it is damaged, encrypted Office (which is no archive), or if its files would be
 * larger than the limits.
 */
export async function openZip(bytes: Buffer): Promise<ZipArchive> {
  if (isOle(bytes)) throw oleError(bytes);
  const { zip, listed } = await listEntries(bytes);
  const declared = listed.reduce((sum, { uncompressedSize }) => sum + uncompressedSize, 0);
  if (declared > zipMax.inflatedBytes) {
    const message = `would have ${Math.ceil(declared / (1 << 20))} MiB unpacked, and ${zipMax.inflatedBytes >> 20} are allowed: split it`;
    throw new UnreadableError(message, ErrorReason.TOO_LARGE);
  }
  const names = decodeNames(listed);
  const sources = new Map<ZipEntry, Entry>();
  for (const [index, entry] of listed.entries()) {
    const name = names[index] as string;
    if (name.endsWith('/')) continue;
    sources.set({ name, sizeBytes: entry.uncompressedSize, problem: problemOf(entry, name) }, entry);
  }
  const entries = [...sources.keys()];
  const byName = new Map(entries.map((entry) => [entry.name.toLowerCase(), entry]));
  let inflatedBytes = 0;
  const stream = async function* (entry: ZipEntry): AsyncIterable<Uint8Array> {
    if (entry.problem !== undefined) throw entry.problem;
    try {
      const source = await (zip.openReadStreamPromise(sources.get(entry) as Entry) as Promise<Readable>);
      for await (const part of source) {
        inflatedBytes += (part as Uint8Array).byteLength;
        if (inflatedBytes > zipMax.inflatedBytes)
          throw new UnreadableError('unpacks to more than allowed: split it', ErrorReason.TOO_LARGE);
        yield part as Uint8Array;
      }
    } catch (error) {
      throw error instanceof UnreadableError ? error : damaged();
    }
  };
  return {
    entries,
    find: (name) => byName.get(name.toLowerCase()),
    stream,
    async read(entry) {
      const parts: Uint8Array[] = [];
      for await (const part of stream(entry)) parts.push(part);
      return Buffer.concat(parts);
    },
  };
}

/** Inflates and counts all files of an archive. Throws as `stream` does, and for each file that must not be read. */
export async function verifyZip(zip: ZipArchive): Promise<void> {
  for (const entry of zip.entries) {
    const parts = zip.stream(entry)[Symbol.asyncIterator]();
    while ((await parts.next()).done !== true);
  }
}

async function listEntries(bytes: Buffer): Promise<{ zip: ZipFile; listed: Entry[] }> {
  try {
    const zip = await fromBufferPromise(bytes, { decodeStrings: false });
    if (zip.entryCount > zipMax.entries) {
      throw new UnreadableError(`holds more than ${zipMax.entries} files: split it`, ErrorReason.TOO_LARGE);
    }
    const listed: Entry[] = [];
    for await (const entry of zip.eachEntry()) listed.push(entry);
    return { zip, listed };
  } catch (error) {
    throw error instanceof UnreadableError ? error : damaged();
  }
}

function problemOf(entry: Entry, name: string): UnreadableError | undefined {
  const unsafe = validateFileName(name);
  if (unsafe !== null)
    return new UnreadableError('its path leads out of the archive: pack it again without ".." and "/" in front');
  if (entry.isEncrypted()) return encrypted();
  const ratio = entry.uncompressedSize / Math.max(1, entry.compressedSize);
  if (entry.uncompressedSize > zipMax.ratioBytes && ratio > zipMax.ratio) {
    const message = `is packed ${Math.round(ratio)}:1, as files are that shall exhaust memory: upload it unpacked`;
    return new UnreadableError(message, ErrorReason.TOO_LARGE);
  }
  return undefined;
}

/** The header of Microsoft's compound files: Office before 2007, Outlook messages, and Office with a password. */
export function isOle(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.subarray(0, 8)).toString('hex') === 'd0cf11e0a1b11ae1';
}

function oleError(bytes: Buffer): UnreadableError {
  if (bytes.includes(Buffer.from('EncryptedPackage', 'utf16le'))) return encrypted();
  return new UnreadableError(
    'is a file of Office before 2007 under another name: save it in the current format',
    ErrorReason.MEDIA_TYPE_UNSUPPORTED,
  );
}

/** Returns the failure of a document that needs a password. */
export function encrypted(): UnreadableError {
  return new UnreadableError('is encrypted: save it without a password', ErrorReason.DOCUMENT_ENCRYPTED);
}

function damaged(): UnreadableError {
  return new UnreadableError('is damaged or cut off: upload it again, or open and save it with its program first');
}
