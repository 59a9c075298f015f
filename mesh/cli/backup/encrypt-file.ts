import { createReadStream, createWriteStream } from 'node:fs';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type FolderKey, folderKeyOf } from '#kit/storage/encryption/folder-keys.ts';
import { sealStream } from '#kit/storage/encryption/sealed-file.ts';
import { encryptDatabase } from '#kit/storage/sqlite/encrypted.ts';
import { syncFile } from './manifest.ts';

/** Encrypts a file of a data folder as ragmesh would have written it. `path`: relative to the folder, with `/`. */
export async function encryptFile(folder: string, path: string): Promise<void> {
  const file = join(folder, path);
  const key = folderKeyOf(file) as FolderKey;
  if (isReadableForAll(path)) return;
  if (path.endsWith('.db')) encryptDatabase(file, key.database);
  else {
    const sealed = sealStream(key, createReadStream(file) as AsyncIterable<Buffer>);
    await pipeline(Readable.from(sealed), createWriteStream(`${file}.sealed`, { mode: 0o600 }));
    await rename(`${file}.sealed`, file);
  }
  await syncFile(file);
}

/** Reports whether a file is not encrypted: the ends of audit chains have no more than tenants and hashes, for those who compare them. */
function isReadableForAll(path: string): boolean {
  return path.endsWith('.jsonl');
}
