import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, type KeyObject, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type FolderKey, folderKeyOf } from './folder-keys.ts';

// Files of an encrypted folder that are no databases. A file is a mark, a random salt, and parts of 64 KiB: each is encrypted with AES-256-GCM
// under a key that is derived from that of the folder and the salt. The nonce is the number of the part, with a last byte that marks the last part, so
// parts can neither be moved nor cut off (the STREAM construction: Hoang, Reyhanitabar, Rogaway and Vizár 2015, section 7).

const mark = Buffer.from('RAGSEAL1', 'latin1');
const saltBytes = 16;
const headerBytes = mark.length + saltBytes;
const tagBytes = 16;
const ivBytes = 12;
const partBytes = 64 * 1024;

/** Encrypts a stream of bytes: yields what a file has. */
export async function* sealStream(key: FolderKey, bytes: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const salt = randomBytes(saltBytes);
  const fileKey = deriveKey(key, salt);
  yield Buffer.concat([mark, salt]);
  let waiting: Uint8Array[] = [];
  let waitingBytes = 0;
  let index = 0;
  for await (const chunk of bytes) {
    waiting.push(chunk);
    waitingBytes += chunk.byteLength;
    // A full part leaves when another byte has come: only then is it not the last.
    if (waitingBytes <= partBytes) continue;
    const all = Buffer.concat(waiting);
    let start = 0;
    for (; all.length - start > partBytes; start += partBytes) {
      yield sealPart(fileKey, index++, false, all.subarray(start, start + partBytes));
    }
    waiting = [all.subarray(start)];
    waitingBytes = all.length - start;
  }
  yield sealPart(fileKey, index, true, Buffer.concat(waiting));
}

/** Encrypts the content of a small file. */
export function sealBytes(key: FolderKey, bytes: Uint8Array): Buffer {
  const salt = randomBytes(saltBytes);
  const fileKey = deriveKey(key, salt);
  const parts: Uint8Array[] = [mark, salt];
  const lastIndex = Math.max(0, Math.ceil(bytes.byteLength / partBytes) - 1);
  for (let index = 0; index <= lastIndex; index++) {
    const part = bytes.subarray(index * partBytes, (index + 1) * partBytes);
    parts.push(sealPart(fileKey, index, index === lastIndex, part));
  }
  return Buffer.concat(parts);
}

/** Returns whether a file begins as an encrypted one. */
export function isSealed(bytes: Uint8Array): boolean {
  return bytes.byteLength >= headerBytes && mark.equals(bytes.subarray(0, mark.length));
}

/** Decrypts the content of a file. Throws if it is not encrypted, was changed, or is of another folder. */
export function openBytes(key: FolderKey, bytes: Uint8Array): Buffer {
  const size = plainSizeOf(bytes.byteLength);
  const { first, last } = partsOf(size, 0, size);
  const fileKey = openHeader(key, bytes.subarray(0, headerBytes));
  const parts: Buffer[] = [];
  for (let index = first; index <= last; index++)
    parts.push(openPart(fileKey, index, lastPartOf(size), partAt(bytes, index)));
  return Buffer.concat(parts);
}

/** Reads bytes of a file from a position; fewer at its end. */
export type ReadAt = (offset: number, sizeBytes: number) => Promise<Uint8Array>;

/** Decrypts a range of a file of `fileBytes`; fewer bytes at its end. Throws as {@link openBytes} does. */
export async function openRange(
  key: FolderKey,
  fileBytes: number,
  readAt: ReadAt,
  offset: number,
  sizeBytes: number,
): Promise<Uint8Array> {
  const fileKey = openHeader(key, await readAt(0, headerBytes));
  const size = plainSizeOf(fileBytes);
  const end = Math.min(offset + sizeBytes, size);
  if (offset >= end && size > 0) return new Uint8Array();
  const { first, last } = partsOf(size, offset, end);
  const sealedPartBytes = partBytes + tagBytes;
  const sealed = await readAt(headerBytes + first * sealedPartBytes, (last - first + 1) * sealedPartBytes);
  const plain: Buffer[] = [];
  for (let index = first; index <= last; index++) {
    const start = (index - first) * sealedPartBytes;
    plain.push(openPart(fileKey, index, lastPartOf(size), sealed.subarray(start, start + sealedPartBytes)));
  }
  return Buffer.concat(plain).subarray(offset - first * partBytes, end - first * partBytes);
}

/** Returns what a file at `path` has to contain for a text: the text, or its ciphertext in an encrypted folder. */
export function sealFor(path: string, text: string): string | Uint8Array {
  const key = folderKeyOf(path);
  return key === undefined ? text : sealBytes(key, Buffer.from(text, 'utf8'));
}

/** Reads the text of a file that was written with {@link sealFor}. Throws as `readFileSync`, and as {@link openBytes} does. */
export function readSealed(path: string): string {
  const bytes = readFileSync(path);
  const key = folderKeyOf(path);
  if (key === undefined) return bytes.toString('utf8');
  try {
    return openBytes(key, bytes).toString('utf8');
  } catch (error) {
    throw new Error(`${path} cannot be decrypted: restore it from a backup, or delete it`, { cause: error });
  }
}

/** The random nonce of a column, and its tag, in hex. */
export interface ColumnSeal {
  iv: string;
  tag: string;
}

/** Encrypts or decrypts a column, some bytes after others; `end` is called after the last. */
export interface ColumnCipher<End> {
  update(bytes: Uint8Array): Uint8Array;
  end(): End;
}

/** Encrypts one column of a file, which is read as a whole; `undefined` if the folder of the file is not encrypted. */
export function sealColumn(path: string): ColumnCipher<ColumnSeal> | undefined {
  const key = folderKeyOf(path);
  if (key === undefined) return undefined;
  const iv = randomBytes(ivBytes);
  const cipher = createCipheriv('aes-256-gcm', deriveKey(key, columns), iv);
  return {
    update: (bytes) => cipher.update(bytes),
    end() {
      cipher.final();
      return { iv: iv.toString('hex'), tag: cipher.getAuthTag().toString('hex') };
    },
  };
}

/** Decrypts a column; `undefined` if it is not encrypted. `end` throws if it was changed. Throws if the folder has no key. */
export function openColumn(path: string, seal: ColumnSeal | undefined): ColumnCipher<void> | undefined {
  const key = folderKeyOf(path);
  if ((key === undefined) !== (seal === undefined)) throw new Error('the file was written with another encryption');
  if (key === undefined || seal === undefined) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', deriveKey(key, columns), Buffer.from(seal.iv, 'hex'));
  decipher.setAuthTag(Buffer.from(seal.tag, 'hex'));
  return { update: (bytes) => decipher.update(bytes), end: () => void decipher.final() };
}

const columns = Buffer.from('columns');

function deriveKey({ file }: FolderKey, salt: Uint8Array): KeyObject {
  return createSecretKey(new Uint8Array(hkdfSync('sha256', file, salt, 'ragmesh file', 32)));
}

function openHeader(key: FolderKey, header: Uint8Array): KeyObject {
  if (!isSealed(header)) throw new Error('the file is not encrypted');
  return deriveKey(key, header.subarray(mark.length, headerBytes));
}

function plainSizeOf(fileBytes: number): number {
  const sealedBytes = fileBytes - headerBytes;
  const partCount = Math.ceil(sealedBytes / (partBytes + tagBytes));
  const size = sealedBytes - partCount * tagBytes;
  if (partCount < 1 || size < 0) throw new Error('the file is not whole');
  return size;
}

const lastPartOf = (size: number): number => Math.max(0, Math.ceil(size / partBytes) - 1);

function partsOf(size: number, offset: number, end: number): { first: number; last: number } {
  const last = Math.min(lastPartOf(size), Math.floor(Math.max(0, end - 1) / partBytes));
  return { first: Math.min(last, Math.floor(offset / partBytes)), last };
}

function partAt(bytes: Uint8Array, index: number): Uint8Array {
  const start = headerBytes + index * (partBytes + tagBytes);
  return bytes.subarray(start, start + partBytes + tagBytes);
}

function nonceOf(index: number, isLast: boolean): Buffer {
  const iv = Buffer.alloc(ivBytes);
  iv.writeUIntBE(index, ivBytes - 7, 6);
  iv[ivBytes - 1] = isLast ? 1 : 0;
  return iv;
}

function sealPart(key: KeyObject, index: number, isLast: boolean, plain: Uint8Array): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, nonceOf(index, isLast));
  return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

function openPart(key: KeyObject, index: number, lastIndex: number, sealed: Uint8Array): Buffer {
  if (sealed.byteLength < tagBytes) throw new Error('the file is not whole');
  const decipher = createDecipheriv('aes-256-gcm', key, nonceOf(index, index === lastIndex));
  decipher.setAuthTag(sealed.subarray(-tagBytes));
  return Buffer.concat([decipher.update(sealed.subarray(0, -tagBytes)), decipher.final()]);
}
