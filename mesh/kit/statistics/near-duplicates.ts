// Finds passages with nearly the same text: copies of a page, boilerplate, the same answer in the help of two products.

/** A text's sketch, by which texts are compared: each slot has the lowest hash of the shingles in it. */
export type Sketch = Uint32Array;

/** Slots of a sketch. The share of equal slots estimates the overlap of two texts to about ±.04. */
const slotBits = 6;
const slotCount = 1 << slotBits;
const emptySlot = 0xffffffff;

/** Letters of a shingle. */
const shingleLength = 6;
const base = 0x01000193;
/** The factor by which a letter that leaves the shingle is subtracted. */
const leaving = powerOf(base, shingleLength);

/** UTF-16 code units of a text that are read; more would only cost time. */
const readLength = 8192;

/** Overlap from which two texts are near-duplicates. */
export const nearlySame = 0.85;

/**
 * Returns the sketch of a text by one permutation hashing (Li, Owen & Zhang 2012) over the shingles of its letters and digits, without
 * case, spaces and punctuation. Takes about 5 µs for an ordinary passage, so sketches are not stored.
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
  // A text that is shorter than a shingle is one shingle.
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

/** Returns the overlap of two texts, 0 to 1: an estimate of the share of their shingles that both have (Jaccard). */
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

/** The parts of a text in which a few letters change the fact: digits and negations. */
const decisive = /\d+|[不没無无非未勿免]|\b(?:no|not|never|without|cannot|except)\b|n['’]t\b/giu;

/**
 * Returns whether one passage can represent the other: they overlap nearly completely, and have the same numbers and negations in the
 * same order, because "E-07" and "E-08", or "can" and "cannot", differ by a letter or two.
 */
export function isNearDuplicate(a: { text: string; sketch: Sketch }, b: { text: string; sketch: Sketch }): boolean {
  if (overlapOf(a.sketch, b.sketch) < nearlySame) return false;
  return decisiveParts(a.text) === decisiveParts(b.text);
}

const decisiveParts = (text: string): string => (text.match(decisive) ?? []).join(' ').toLowerCase();

function powerOf(factor: number, exponent: number): number {
  let power = 1;
  for (let step = 0; step < exponent; step++) power = Math.imul(power, factor);
  return power;
}
