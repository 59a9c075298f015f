import { hkdfSync, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { ConfigError } from '../../base/config-error.ts';
import { createOnce, flushFolder } from '../files/create-once.ts';
import { requireEncryptedSqlite } from '../sqlite/encrypted.ts';
import { type FolderKey, setFolderKey } from './folder-keys.ts';
import type { KeyWrapper } from './key-wrapper.ts';

/** The file in a data folder with its wrapped key. It makes the folder an encrypted one. */
export const keyFileName = 'encryption.json';

const schema = z.strictObject({
  format: z.literal(1),
  /** Which key has wrapped. */
  keyId: z.string(),
  /** The wrapped key of the folder. */
  wrapped: z.base64(),
  /** Derived from the key of the folder: whether a key that was unwrapped is the right one. */
  check: z.string(),
});
type KeyFile = z.infer<typeof schema>;

const setting = 'storage.encryption';
const keyBytes = 32;

/**
 * Makes the files of an encrypted data folder readable for this process; a new folder gets a key. A key that was wrapped by another than the
 * first configured one is wrapped again. `wrapper`: of the configured keys; `undefined` without encryption. `creates`: whether a folder without
 * a key gets one. Throws ConfigError if the folder and the configuration do not fit.
 */
export async function unlockFolder(folder: string, wrapper: KeyWrapper | undefined, creates: boolean): Promise<void> {
  const path = join(folder, keyFileName);
  if (wrapper === undefined) {
    if (!existsSync(path)) return;
    throw new ConfigError(setting, `is not set, and ${folder} is encrypted: set it with the key that ${path} names`);
  }
  requireEncryptedSqlite();
  if (!existsSync(path)) {
    if (!creates) return;
    // A process that starts concurrently may have made both the key and files.
    if (hasFiles(folder) && !existsSync(path)) {
      const advice = 'back it up, move it away, and restore it with this configuration (deployments/BACKUP.md)';
      throw new ConfigError(setting, `is set, and ${folder} has files that are not encrypted: ${advice}`);
    }
    await createKey(folder, path, wrapper);
  }
  const { key, file } = await openKey(path, wrapper);
  setFolderKey(folder, derive(key));
  if (file.keyId !== wrapper.keyId) await writeKey(path, key, wrapper, 'replace');
}

/** Gives a new folder a key, and makes it writable for this process. */
export async function createFolderKey(folder: string, wrapper: KeyWrapper): Promise<void> {
  requireEncryptedSqlite();
  const path = join(folder, keyFileName);
  await createKey(folder, path, wrapper);
  setFolderKey(folder, derive((await openKey(path, wrapper)).key));
}

async function createKey(folder: string, path: string, wrapper: KeyWrapper): Promise<void> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  await writeKey(path, randomBytes(keyBytes), wrapper, 'create');
}

async function openKey(path: string, wrapper: KeyWrapper): Promise<{ key: Uint8Array; file: KeyFile }> {
  const file = readKeyFile(path);
  const key = await wrapper.unwrap(file.keyId, Buffer.from(file.wrapped, 'base64')).catch((error: Error) => {
    throw new ConfigError(setting, `does not open ${path}: ${error.message}`);
  });
  if (key.length !== keyBytes || checkOf(key) !== file.check) {
    throw new ConfigError(setting, `does not open ${path}: what was unwrapped is another key than that of the folder`);
  }
  return { key, file };
}

function readKeyFile(path: string): KeyFile {
  const text = readFileSync(path, 'utf8');
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    const message = `${path} is damaged: restore it from a backup; without it, nothing in the folder can be read`;
    throw new Error(message, { cause: error });
  }
}

// The key is on disk before anything is encrypted with it.
async function writeKey(path: string, key: Uint8Array, wrapper: KeyWrapper, how: 'create' | 'replace'): Promise<void> {
  const wrapped = await wrapper.wrap(key).catch((error: Error) => {
    throw new ConfigError(setting, `cannot wrap the key of ${path}: ${error.message}`);
  });
  const file: KeyFile = {
    format: 1,
    keyId: wrapper.keyId,
    wrapped: Buffer.from(wrapped).toString('base64'),
    check: checkOf(key),
  };
  const text = `${JSON.stringify(file, null, 2)}\n`;
  if (how === 'create') return createOnce(path, text);
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, text, { mode: 0o600, flush: true });
  renameSync(draft, path);
  flushFolder(dirname(path));
}

function derive(key: Uint8Array): FolderKey {
  const of = (use: string) => Buffer.from(hkdfSync('sha256', key, '', `ragmesh data folder: ${use}`, keyBytes));
  return { database: of('databases').toString('hex'), file: new Uint8Array(of('files')) };
}

function checkOf(key: Uint8Array): string {
  return Buffer.from(hkdfSync('sha256', key, '', 'ragmesh data folder: check', 16)).toString('hex');
}

function hasFiles(folder: string): boolean {
  if (!existsSync(folder)) return false;
  // Draft files of a key are of a process that starts concurrently.
  return readdirSync(folder, { recursive: true, withFileTypes: true }).some(
    (entry) => entry.isFile() && !entry.name.startsWith(keyFileName),
  );
}
