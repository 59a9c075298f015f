import { shareBytes, shareUint32 } from './shared.ts';

/** Texts in shared memory, each with a number from 0 on. */
export interface Strings {
  /** UTF-8 of all texts, one after another. */
  bytes: Uint8Array<SharedArrayBuffer>;
  /** Beginning of each text in `bytes`, and the end of the last one. */
  offsets: Uint32Array<SharedArrayBuffer>;
}

/** Different texts in shared memory, which are found by their letters. */
export interface StringTable extends Strings {
  /** A hash table with open addressing: 0, or the number of a text plus 1. Its length is a power of 2. */
  slots: Uint32Array<SharedArrayBuffer>;
}

/** Collects texts. */
export interface StringsBuilder {
  readonly count: number;
  /** Adds a text, given as UTF-8 in `source`, and returns its number. */
  add(source: Uint8Array, start: number, end: number): number;
  share(): Strings;
}

/** Collects different texts. */
export interface StringTableBuilder {
  readonly count: number;
  /** Returns the number of a text; a new number for a new text. */
  numberOf(source: Uint8Array, start: number, end: number): number;
  share(): StringTable;
}

/** Returns text number `index`. */
export function stringAt({ bytes, offsets }: Strings, index: number): string {
  const start = offsets[index] as number;
  // A view of the shared memory: Buffer decodes it without a copy.
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, (offsets[index + 1] as number) - start).toString('utf8');
}

/** Returns the number of texts. */
export function stringCount({ offsets }: Strings): number {
  return offsets.length - 1;
}

/** Returns the number of a text; -1 if the table does not have it. */
export function findString({ bytes, offsets, slots }: StringTable, text: string): number {
  const wanted = Buffer.from(text, 'utf8');
  return findBytes(bytes, offsets, slots, wanted, 0, wanted.length);
}

/** Returns the number of a text, given as UTF-8 in `source`; -1 if the table does not have it. */
export function findStringBytes(table: StringTable, source: Uint8Array, start: number, end: number): number {
  return findBytes(table.bytes, table.offsets, table.slots, source, start, end);
}

/** Bytes that the texts use. */
export function stringBytes(strings: Strings | StringTable): number {
  const slots = 'slots' in strings ? strings.slots.byteLength : 0;
  return strings.bytes.byteLength + strings.offsets.byteLength + slots;
}

/** Creates a collection of texts, which may be the same. */
export function createStringsBuilder(): StringsBuilder {
  let bytes = new Uint8Array(4096);
  let offsets = new Uint32Array(256);
  let count = 0;
  return {
    get count() {
      return count;
    },
    add(source, start, end) {
      const at = offsets[count] as number;
      const wanted = at + (end - start);
      if (wanted > bytes.length) bytes = grow(bytes, wanted);
      if (count + 2 > offsets.length) offsets = growNumbers(offsets);
      copyBytes(source, start, end, bytes, at);
      offsets[++count] = wanted;
      return count - 1;
    },
    share: () => ({ bytes: shareBytes(bytes, offsets[count]), offsets: shareUint32(offsets, count + 1) }),
  };
}

/** Creates a collection of different texts. */
export function createStringTableBuilder(): StringTableBuilder {
  let bytes = new Uint8Array(4096);
  let offsets = new Uint32Array(256);
  let slots = new Uint32Array(16);
  let count = 0;
  return {
    get count() {
      return count;
    },
    numberOf(source, start, end) {
      const known = findBytes(bytes, offsets, slots, source, start, end);
      if (known >= 0) return known;
      const at = offsets[count] as number;
      const wanted = at + (end - start);
      if (wanted > bytes.length) bytes = grow(bytes, wanted);
      if (count + 2 > offsets.length) offsets = growNumbers(offsets);
      copyBytes(source, start, end, bytes, at);
      offsets[++count] = wanted;
      if (count * 2 > slots.length) slots = spread(bytes, offsets, count, slots.length * 2);
      else place(slots, hashOf(source, start, end), count);
      return count - 1;
    },
    share: () => ({
      bytes: shareBytes(bytes, offsets[count]),
      offsets: shareUint32(offsets, count + 1),
      slots: shareUint32(slots),
    }),
  };
}

function findBytes(
  bytes: Uint8Array,
  offsets: Uint32Array,
  slots: Uint32Array,
  source: Uint8Array,
  start: number,
  end: number,
): number {
  const mask = slots.length - 1;
  // The table is never full, so an empty slot ends the search.
  for (let slot = hashOf(source, start, end) & mask; ; slot = (slot + 1) & mask) {
    const held = slots[slot] as number;
    if (held === 0) return -1;
    if (isSame(bytes, offsets[held - 1] as number, offsets[held] as number, source, start, end)) return held - 1;
  }
}

function isSame(a: Uint8Array, aStart: number, aEnd: number, b: Uint8Array, bStart: number, bEnd: number): boolean {
  if (aEnd - aStart !== bEnd - bStart) return false;
  for (let at = aStart, other = bStart; at < aEnd; at++, other++) if (a[at] !== b[other]) return false;
  return true;
}

// FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/).
function hashOf(source: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ (source[at] as number), 0x01000193);
  return (hash ^ (hash >>> 15)) >>> 0;
}

function place(slots: Uint32Array, hash: number, held: number): void {
  const mask = slots.length - 1;
  let slot = hash & mask;
  while (slots[slot] !== 0) slot = (slot + 1) & mask;
  slots[slot] = held;
}

function spread(bytes: Uint8Array, offsets: Uint32Array, count: number, length: number): Uint32Array<ArrayBuffer> {
  const slots = new Uint32Array(length);
  for (let index = 0; index < count; index++) {
    place(slots, hashOf(bytes, offsets[index] as number, offsets[index + 1] as number), index + 1);
  }
  return slots;
}

// For a few bytes a loop is faster than a view and a copy.
function copyBytes(source: Uint8Array, start: number, end: number, target: Uint8Array, at: number): void {
  for (let from = start, to = at; from < end; from++, to++) target[to] = source[from] as number;
}

function grow(bytes: Uint8Array<ArrayBuffer>, wanted: number): Uint8Array<ArrayBuffer> {
  const grown = new Uint8Array(Math.max(bytes.length * 2, wanted));
  grown.set(bytes);
  return grown;
}

function growNumbers(numbers: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const grown = new Uint32Array(numbers.length * 2);
  grown.set(numbers);
  return grown;
}
