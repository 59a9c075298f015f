import { randomBytes } from 'node:crypto';

/** Returns a new key: 32 bytes that no one can guess. */
export const newKey = (): Uint8Array => randomBytes(32);

/** Returns a nonce of AES-GCM: 12 bytes, different for each message under a key. */
export const newNonce = (): Uint8Array => randomBytes(12);

/** Returns a name of a user that says nothing of the user. */
export const newSubjectName = (): string => `subject-${randomBytes(16).toString('hex')}`;
