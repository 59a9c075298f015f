import { randomBytes, randomFillSync } from 'node:crypto';

/** Returns a new key: 32 bytes that no one can guess. */
export const newKey = (): Uint8Array => randomBytes(32);

const nonceBytes = 12;
// Random bytes are made for many nonces together: each is used for one.
const nonces = new Uint8Array(nonceBytes * 256);
let used = nonces.length;

/** Returns a nonce of AES-GCM: 12 bytes, different for each message under a key. */
export function newNonce(): Uint8Array {
  if (used === nonces.length) {
    randomFillSync(nonces);
    used = 0;
  }
  used += nonceBytes;
  return nonces.slice(used - nonceBytes, used);
}

/** Returns a name of a user that says nothing of the user. */
export const newSubjectName = (): string => `subject-${randomBytes(16).toString('hex')}`;
