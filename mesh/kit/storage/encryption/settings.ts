import { readFileSync } from 'node:fs';
import type { EncryptionConfig, EncryptionKeyConfig } from '#gen/ragmesh/config/v1/config_pb.ts';
import { ConfigError } from '../../base/config-error.ts';
import { commandKeyId, createKeyWrapper, type KeyWrapper } from './key-wrapper.ts';

const keyBytes = 32;

/** Returns the wrapper of the configured keys; `undefined` without encryption. Throws ConfigError if it has no usable key. */
export function readEncryption(config: EncryptionConfig | undefined): KeyWrapper | undefined {
  if (config === undefined) return undefined;
  const path = 'storage.encryption';
  const keys = config.keys.map((key, index) => ({ id: key.id, bytes: readKey(key, `${path}.keys[${index}]`) }));
  if (keys.length === 0 && config.command.length === 0) {
    throw new ConfigError(path, 'has no key: set "keys", or "command" for a key service');
  }
  const repeated = keys.find(({ id }, index) => keys.findIndex((other) => other.id === id) !== index);
  if (repeated !== undefined) throw new ConfigError(`${path}.keys`, `has two keys with the id "${repeated.id}"`);
  if (keys.some(({ id }) => id === commandKeyId)) {
    throw new ConfigError(`${path}.keys`, `the id "${commandKeyId}" is that of the program: choose another`);
  }
  return createKeyWrapper(keys, config.command);
}

function readKey({ key, keyFile }: EncryptionKeyConfig, path: string): Uint8Array {
  if ((key === '') === (keyFile === '')) throw new ConfigError(path, 'needs one of "key" and "key_file"');
  const bytes = Buffer.from(key === '' ? readText(keyFile, `${path}.key_file`) : key, 'base64');
  if (bytes.length === keyBytes) return bytes;
  const problem = 'is not 32 bytes in base64: make one with "openssl rand -base64 32"';
  throw new ConfigError(`${path}.${key === '' ? 'key_file' : 'key'}`, problem);
}

function readText(file: string, path: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new ConfigError(path, `cannot be read: ${(error as Error).message}`);
  }
}
