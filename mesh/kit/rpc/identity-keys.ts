import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { IdentityConfig } from '#gen/ragmesh/config/v1/config_pb.ts';
import { ConfigError } from '../base/config-error.ts';
import { readSealed, sealFor } from '../storage/encryption/sealed-file.ts';
import { createOnce } from '../storage/files/create-once.ts';

/** Keys of the mesh: Ed25519. Only processes that make tokens have the private one. */
export interface IdentityKeys {
  privateKey?: KeyObject;
  /** The key that new tokens are made with. */
  publicKey: KeyObject;
  /** Keys whose tokens are accepted as well: the one before a rotation, or the one after it. */
  acceptedKeys: readonly KeyObject[];
}

const keyFile = 'identity.pem';
const acceptedFile = 'identity.accepted.pem';

/**
 * The keys that are configured, or those in `<dataDir>/identity.pem`, which is made at the first start and readable by its
 * owner only: processes that share a data folder share their identity. Throws ConfigError for a text that is no key of Ed25519.
 */
export function loadIdentityKeys(config: IdentityConfig | undefined, dataDir: string): IdentityKeys {
  const acceptedKeys = (config?.acceptedPublicKeys ?? []).map((pem, index) =>
    readPublic(pem, `identity.accepted_public_keys[${index}]`),
  );
  if (config?.privateKey) {
    const privateKey = readPrivate(config.privateKey, 'identity.private_key');
    return { privateKey, publicKey: createPublicKey(privateKey), acceptedKeys };
  }
  if (config?.publicKey) return { publicKey: readPublic(config.publicKey, 'identity.public_key'), acceptedKeys };
  const path = join(dataDir, keyFile);
  const privateKey = readPrivate(readOrCreate(path), path);
  return {
    privateKey,
    publicKey: createPublicKey(privateKey),
    acceptedKeys: [...acceptedKeys, ...readAccepted(join(dataDir, acceptedFile))],
  };
}

/**
 * Replaces the key of a data folder by a new one. Tokens of the old one stay valid, because its public part is kept in
 * `identity.accepted.pem`, in place of an earlier one; if it has leaked, no earlier key is accepted. Takes effect when the
 * processes of the folder start again.
 */
export function rotateKey(dataDir: string, { hasLeaked = false } = {}): void {
  const path = join(dataDir, keyFile);
  const accepted = join(dataDir, acceptedFile);
  const old = createPublicKey(readPrivate(readOrCreate(path), path));
  if (hasLeaked) rmSync(accepted, { force: true });
  else replaceFile(accepted, old.export({ type: 'spki', format: 'pem' }) as string);
  replaceFile(path, newKey());
}

/** Returns a new private key as PKCS#8 PEM. */
export function newKey(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
}

/** Returns a public key as JWK. Its id is its thumbprint (RFC 7638). */
export function toJwk(publicKey: KeyObject): {
  kty: string;
  crv: string;
  alg: string;
  use: string;
  kid: string;
  x: string;
} {
  const { crv = '', kty = '', x = '' } = publicKey.export({ format: 'jwk' });
  const kid = createHash('sha256').update(JSON.stringify({ crv, kty, x })).digest('base64url');
  return { kty, crv, alg: 'EdDSA', use: 'sig', kid, x };
}

function readPrivate(pem: string, path: string): KeyObject {
  return ed25519(() => createPrivateKey(pem), path, 'a private key of Ed25519 as PKCS#8 PEM');
}

function readPublic(pem: string, path: string): KeyObject {
  return ed25519(() => createPublicKey(pem), path, 'a public key of Ed25519 as SPKI PEM');
}

function ed25519(read: () => KeyObject, path: string, what: string): KeyObject {
  try {
    const key = read();
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // The error of OpenSSL says nothing of the setting, and the text is a secret.
  }
  throw new ConfigError(path, `is not ${what}: make one with "npm run token -- --rotate"`);
}

function readAccepted(path: string): KeyObject[] {
  try {
    return [readPublic(readSealed(path), path)];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function readOrCreate(path: string): string {
  try {
    return readSealed(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  mkdirSync(dirname(path), { recursive: true });
  createOnce(path, sealFor(path, newKey()));
  return readSealed(path);
}

function replaceFile(path: string, text: string): void {
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, sealFor(path, text), { mode: 0o600 });
  renameSync(draft, path);
}
