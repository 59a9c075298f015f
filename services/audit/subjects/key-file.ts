import type { MaskingKey } from '#kit/personal-data/seal.ts';
import { readSealed, sealFor } from '#kit/storage/encryption/sealed-file.ts';
import { createOnce } from '#kit/storage/files/create-once.ts';
import { newKey } from './secrets.ts';

/** Name of the key of a file: it is in no configuration. */
const fileKeyId = 'file';

/** Returns the key of a file; `undefined` if there is none. Throws if it does not have 32 bytes in hex. */
export function readKeyFile(path: string): MaskingKey | undefined {
  let text: string;
  try {
    text = readSealed(path).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  if (!/^[\da-f]{64}$/.test(text)) throw new Error(`${path} has no key: restore it from a backup`);
  return { id: fileKeyId, bytes: Buffer.from(text, 'hex') };
}

/** Returns the key of a file that only this account can read; creates it if there is none. */
export function readOrCreateKeyFile(path: string): MaskingKey {
  const found = readKeyFile(path);
  if (found !== undefined) return found;
  createOnce(path, sealFor(path, Buffer.from(newKey()).toString('hex')));
  return readKeyFile(path) as MaskingKey;
}
