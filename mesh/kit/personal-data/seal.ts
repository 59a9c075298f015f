import { createCipheriv, createDecipheriv, createHmac, createSecretKey, hkdfSync } from 'node:crypto';
import type { Finding, PersonalDataKind } from './detectors/detector.ts';

/** A configured key: its id, and 32 bytes. */
export interface MaskingKey {
  id: string;
  bytes: Uint8Array;
}

/** Encrypts values of one tenant as tokens, and decrypts them. */
export interface Sealer {
  /** Returns the token of a value, the same one each time: `[PHONE_k1_<hex>]`. */
  seal(kind: PersonalDataKind, value: string): string;
  /** Returns the value of a token; `undefined` if no key of this tenant has made it, or if it was changed. */
  open(sealed: string): string | undefined;
}

const ivBytes = 12;
const tagBytes = 16;
/** A whole sealed token. A value has at most 1,024 bytes of UTF-8, and no token more than the mark and hex of that. */
export const sealedPattern = /\[([A-Z_]{2,16})_([a-z][a-z0-9]{0,7})_((?:[0-9a-f]{2}){29,1052})\]/g;
/** Longest value that is encrypted, in bytes; a longer one is masked without its original. */
const valueBytesMax = 1024;

/**
 * Creates the encryption of a tenant's values: AES-256-GCM under a key that is derived from the configured one (HKDF-SHA-256), with the kind as
 * additional data. The nonce is an HMAC of kind and value, so equal values have equal tokens and a document has the same text at each run (as SIV,
 * RFC 5297, does).
 */
export function createSealer(keys: readonly MaskingKey[], tenant: string): Sealer {
  const derived = keys.map(({ id, bytes }) => {
    const derive = (use: string) =>
      createSecretKey(new Uint8Array(hkdfSync('sha256', bytes, '', `ragmesh personal data ${use} ${tenant}`, 32)));
    return { id, cipher: derive('cipher'), nonce: derive('nonce') };
  });
  return {
    seal(kind, value) {
      const [first] = derived;
      const bytes = Buffer.from(value);
      if (first === undefined || bytes.length > valueBytesMax) return `[${kind}]`;
      const iv = createHmac('sha256', first.nonce).update(`${kind}\0`).update(bytes).digest().subarray(0, ivBytes);
      const cipher = createCipheriv('aes-256-gcm', first.cipher, iv).setAAD(Buffer.from(kind));
      const sealed = Buffer.concat([iv, cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
      return `[${kind}_${first.id}_${sealed.toString('hex')}]`;
    },
    open(sealed) {
      const [, kind = '', id = '', hex = ''] = new RegExp(`^${sealedPattern.source}$`).exec(sealed) ?? [];
      const key = derived.find((candidate) => candidate.id === id);
      if (key === undefined) return undefined;
      const bytes = Buffer.from(hex, 'hex');
      const decipher = createDecipheriv('aes-256-gcm', key.cipher, bytes.subarray(0, ivBytes))
        .setAAD(Buffer.from(kind))
        .setAuthTag(bytes.subarray(-tagBytes));
      try {
        const value = Buffer.concat([decipher.update(bytes.subarray(ivBytes, -tagBytes)), decipher.final()]);
        return value.toString('utf8');
      } catch {
        // The tag does not fit: it was changed, or is another tenant's.
        return undefined;
      }
    },
  };
}

/** Returns the places of the sealed tokens of a text, in order. */
export function findSealed(text: string): Finding[] {
  if (!text.includes('[')) return [];
  return [...text.matchAll(sealedPattern)].map((match) => ({
    kind: match[1] as PersonalDataKind,
    start: match.index,
    end: match.index + match[0].length,
  }));
}

/** Returns a text with only the kinds of its sealed tokens, for an embedding. */
export function labelsOf(text: string): string {
  return text.includes('[') ? text.replace(sealedPattern, '[$1]') : text;
}

/** Returns a text with its sealed tokens in the short form, in which models and searches read them: `[PHONE_<8 hex>]`. */
export function shortOf(text: string): string {
  return text.replace(sealedPattern, (_, kind: string, _id: string, hex: string) => `[${kind}_${hex.slice(0, 8)}]`);
}
