// Passages that say nearly the same: copies of a page, boilerplate, the same answer in two products' help.

/** What a text is compared by: in each slot the least hash of the shingles that fall into it. */
export type Sketch = Uint32Array;

/** Slots: the share of equal ones tells the overlap of two texts to about ±.04. */
const slotBits = 6;
const slotCount = 1 << slotBits;
const emptySlot = 0xffffffff;

/** Letters of a shingle. */
const shingleLength = 6;
const base = 0x01000193;
/** What a letter weighs once it leaves the shingle. */
const leaving = powerOf(base, shingleLength);

/** What is read of a text, in UTF-16 code units; more only costs. */
const readLength = 8192;

/** Overlap from which two texts are nearly the same. */
export const nearlySame = 0.85;

/**
 * One permutation hashing (Li, Owen & Zhang 2012) over the shingles of a text's letters and digits, whatever their case, spaces and
 * punctuation. Some 5 µs for an ordinary passage, so nothing has to be kept.
 */
export function sketchOf(text: string): Sketch {
  const slots = new Uint32Array(slotCount).fill(emptySlot);
  const ring = new Uint16Array(shingleLength);
  let hash = 0;
  let count = 0;
  const length = Math.min(text.length, readLength);
  for (let index = 0; index < length; index++) {
    let code = text.charCodeAt(index);
    if (code < 128) {
      if (code >= 65 && code <= 90) code += 32;
      else if (!((code >= 97 && code <= 122) || (code >= 48 && code <= 57))) continue;
    } else if (code >= 0x2000 && code <= 0x303f) continue;
    const at = count % shingleLength;
    hash = (Math.imul(hash, base) + code - Math.imul(ring[at] as number, leaving)) | 0;
    ring[at] = code;
    count++;
    if (count >= shingleLength) add(slots, hash);
  }
  // A text shorter than a shingle is one.
  if (count > 0 && count < shingleLength) add(slots, hash);
  return slots;
}

function add(slots: Uint32Array, hash: number): void {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  mixed = (mixed ^ (mixed >>> 16)) >>> 0;
  const slot = mixed >>> (32 - slotBits);
  if (mixed < (slots[slot] as number)) slots[slot] = mixed;
}

/** How much two texts overlap, 0 to 1: about the shingles they share over all they have (Jaccard). */
export function overlapOf(a: Sketch, b: Sketch): number {
  let filled = 0;
  let equal = 0;
  for (let slot = 0; slot < slotCount; slot++) {
    if (a[slot] === emptySlot && b[slot] === emptySlot) continue;
    filled++;
    if (a[slot] === b[slot]) equal++;
  }
  return filled === 0 ? 0 : equal / filled;
}

/** Where a difference of a few letters makes another fact: digits, and words that turn a sentence round. */
const telling = /\d+|[不没無无非未勿免]|\b(?:no|not|never|without|cannot|except)\b|n['’]t\b/giu;

/**
 * Whether one passage can stand for the other: they overlap nearly wholly, and state the same numbers and negations in the same
 * order, since "E-07" and "E-08", or "can" and "cannot", differ by a letter or two.
 */
export function isNearDuplicate(a: { text: string; sketch: Sketch }, b: { text: string; sketch: Sketch }): boolean {
  if (overlapOf(a.sketch, b.sketch) < nearlySame) return false;
  return tellingOf(a.text) === tellingOf(b.text);
}

const tellingOf = (text: string): string => (text.match(telling) ?? []).join(' ').toLowerCase();

function powerOf(factor: number, exponent: number): number {
  let power = 1;
  for (let step = 0; step < exponent; step++) power = Math.imul(power, factor);
  return power;
}
