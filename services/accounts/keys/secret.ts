import { hash, randomBytes } from 'node:crypto';
import { apiKeyPrefix } from '#kit/rpc/identity.ts';

/** Returns a new secret of 256 random bits, and its SHA-256 as 64 hex digits. Without a salt: such a secret cannot be guessed. */
export function newSecret(): { secret: string; sha256: string } {
  const secret = `${apiKeyPrefix}${randomBytes(32).toString('base64url')}`;
  return { secret, sha256: hash('sha256', secret) };
}

/** Returns a new id of a key. */
export function newKeyId(): string {
  return `key_${randomBytes(10).toString('hex')}`;
}
