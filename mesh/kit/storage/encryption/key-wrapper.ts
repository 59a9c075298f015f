import { execFile } from 'node:child_process';
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

/**
 * Encrypts the key of a data folder under a key that is not in the folder. A key service (KMS) fits this port: every call may wait.
 */
export interface KeyWrapper {
  /** Names the key that wraps now. */
  readonly keyId: string;
  /** Encrypts a key. */
  wrap(key: Uint8Array): Promise<Uint8Array>;
  /** Decrypts a key. Throws an error whose message says why it cannot. */
  unwrap(keyId: string, wrapped: Uint8Array): Promise<Uint8Array>;
}

/** A configured key: its id, and 32 bytes. */
export interface WrappingKey {
  id: string;
  bytes: Uint8Array;
}

/** Name of the key of a program: it chooses its own. */
export const commandKeyId = 'command';

const ivBytes = 12;
const tagBytes = 16;
const purpose = 'ragmesh key of a data folder';
/** Longest run of a program, in milliseconds. */
const commandMs = 30_000;
/** Longest output of a program, in bytes: a wrapped key in base64 with what a key service adds. */
const maxOutputBytes = 64 * 1024;

/** Creates the wrapper: a program wraps if there is one, else the first key. Each key unwraps what it has wrapped. */
export function createKeyWrapper(keys: readonly WrappingKey[], command: readonly string[]): KeyWrapper {
  const known = new Map(keys.map(({ id, bytes }) => [id, Buffer.from(hkdfSync('sha256', bytes, '', purpose, 32))]));
  const keyId = command.length > 0 ? commandKeyId : (keys[0]?.id ?? '');
  return {
    keyId,
    async wrap(key) {
      return keyId === commandKeyId ? runCommand(command, 'wrap', key) : encrypt(known.get(keyId) as Buffer, key);
    },
    async unwrap(id, wrapped) {
      if (id === commandKeyId) {
        if (command.length === 0) throw new Error('a program has wrapped its key: configure "command"');
        return runCommand(command, 'unwrap', wrapped);
      }
      const key = known.get(id);
      if (key === undefined) throw new Error(`the key "${id}" has wrapped its key: configure it in "keys"`);
      return decrypt(key, wrapped, id);
    },
  };
}

// AES-256-GCM: 12 bytes of nonce, the ciphertext, 16 bytes of tag.
function encrypt(key: Buffer, plain: Uint8Array): Uint8Array {
  const iv = randomBytes(ivBytes);
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(purpose));
  return Buffer.concat([iv, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

function decrypt(key: Buffer, wrapped: Uint8Array, id: string): Uint8Array {
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, wrapped.subarray(0, ivBytes))
      .setAAD(Buffer.from(purpose))
      .setAuthTag(wrapped.subarray(-tagBytes));
    return Buffer.concat([decipher.update(wrapped.subarray(ivBytes, -tagBytes)), decipher.final()]);
  } catch (error) {
    throw new Error(`the configured key "${id}" is another one than that which has wrapped its key`, { cause: error });
  }
}

// The key is on standard input, never among the arguments: those can be read by every account of the machine.
function runCommand(command: readonly string[], step: 'wrap' | 'unwrap', bytes: Uint8Array): Promise<Uint8Array> {
  const [program = '', ...args] = command;
  return new Promise((resolve, reject) => {
    const options = { timeout: commandMs, maxBuffer: maxOutputBytes, encoding: 'utf8' } as const;
    const child = execFile(program, [...args, step], options, (error, output) => {
      const text = output.trim();
      // Its output may be the key, so no message has it.
      if (error !== null) {
        const reason = error.killed ? `ran longer than ${commandMs} ms` : `failed (${error.code ?? 'unknown'})`;
        reject(new Error(`"${program}" ${reason} to ${step} the key`));
      } else if (!/^[A-Za-z0-9+/\s]+={0,2}$/.test(text)) {
        reject(new Error(`"${program}" did not write base64 to ${step} the key`));
      } else resolve(Buffer.from(text, 'base64'));
    });
    // A program that ends without reading closes the pipe: its exit says why.
    child.stdin?.on('error', () => {});
    child.stdin?.end(`${Buffer.from(bytes).toString('base64')}\n`);
  });
}
