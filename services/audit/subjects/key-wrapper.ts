import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import type { MaskingKey } from '#kit/personal-data/seal.ts';
import { newNonce } from './secrets.ts';

/**
 * Encrypts the keys of users under keys that are not in the database, so that a copy of the database alone opens nothing. A key service
 * (KMS) fits this port: every call may wait, and none is made inside of a transaction.
 */
export interface KeyWrapper {
  /** Names the key that wraps now; empty: keys are stored as they are. */
  readonly keyId: string;
  /** Encrypts a key. `context`: must be the same when it is unwrapped. */
  wrap(key: Uint8Array, context: string): Promise<Uint8Array>;
  /** Decrypts a key; `undefined` if no configured key has wrapped it, or it was changed. */
  unwrap(keyId: string, wrapped: Uint8Array, context: string): Promise<Uint8Array | undefined>;
}

const ivBytes = 12;
const tagBytes = 16;

/**
 * Encrypts with AES-256-GCM under a random nonce: 12 bytes of nonce, the ciphertext, 16 bytes of tag. Node 24 imports a key of plain bytes
 * for each message, which takes three times as long as the message.
 */
export function encrypt(key: KeyObject, plain: Uint8Array, context: string): Uint8Array {
  const iv = newNonce();
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(context));
  return Buffer.concat([iv, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** Decrypts what {@link encrypt} returned; `undefined` if key or context are others, or if it was changed. */
export function decrypt(key: KeyObject, sealed: Uint8Array, context: string): Uint8Array | undefined {
  if (sealed.length < ivBytes + tagBytes) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, ivBytes))
    .setAAD(Buffer.from(context))
    .setAuthTag(sealed.subarray(-tagBytes));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(ivBytes, -tagBytes)), decipher.final()]);
  } catch {
    return undefined;
  }
}

/**
 * Creates a wrapper of configured keys: the first one wraps, each unwraps what it has wrapped. Without a key, keys of users are stored as
 * they are: erasing still destroys them, but a copy of the database opens its entries.
 */
export function createKeyWrapper(keys: readonly MaskingKey[]): KeyWrapper {
  const derived = new Map(
    keys.map(({ id, bytes }) => {
      const key = new Uint8Array(hkdfSync('sha256', bytes, '', 'ragmesh audit keys of users', 32));
      return [id, createSecretKey(key)];
    }),
  );
  const [first] = derived;
  return {
    keyId: first?.[0] ?? '',
    async wrap(key, context) {
      return first === undefined ? key : encrypt(first[1], key, context);
    },
    async unwrap(keyId, wrapped, context) {
      if (keyId === '') return wrapped;
      const key = derived.get(keyId);
      return key && decrypt(key, wrapped, context);
    },
  };
}
