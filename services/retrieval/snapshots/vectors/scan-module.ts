// The WebAssembly modules that score blocks of rows, written as bytes (https://webassembly.github.io/spec/core/binary/): one function over
// two imported memories, the shared one of a segment and a private one for the question and the hits.

/** How bytes are multiplied: relaxed SIMD adds the products of four dimensions in one instruction, plain SIMD in several. */
export type SimdKind = 'relaxed' | 'plain';

/** Most rows of a block: their sums stay in the processor's first cache. */
export const maxBlockRows = 1024;
/** Rows of a block are counted in steps of this size. */
export const stepRows = 16;
/** Groups of four dimensions that a pass over a block adds; a question has a multiple of it. More would not fit the registers. */
export const passGroups = 8;
/** Bytes at the start of the private memory in which the sums of a block are: those to add, and those to subtract. All are 0 between scans. */
export const sumsBytes = 2 * maxBlockRows * 4;
/** Bytes of a group in the question: its place in a block, and its four bytes. */
export const entryBytes = 8;

const i32 = 0x7f;
const f32 = 0x7d;
const v128 = 0x7b;
const empty = 0x40;

const simd = (code: number, ...rest: number[]) => [0xfd, ...unsigned(code), ...rest];
const get = (local: number) => [0x20, local];
const set = (local: number) => [0x21, local];
const tee = (local: number) => [0x22, local];
const constant = (value: number) => [0x41, ...signed(value)];
const add = 0x6a;
const subtract = 0x6b;
const shiftLeft = 0x74;
const shiftRight = 0x76;
const isBelow = 0x49;
const isFloatGreater = 0x5e;
const select = 0x1b;
const loop = (...code: number[][]) => [0x03, empty, ...code.flat(), 0x0b];
const when = (...code: number[][]) => [0x04, empty, ...code.flat(), 0x0b];
const repeatWhen = [0x0d, 0];

// Accesses to the private memory name it, as memory 1.
const loadVector = (offset: number) => simd(0x00, 4, ...unsigned(offset));
const loadPrivateVector = (offset: number) => simd(0x00, 0x44, 1, ...unsigned(offset));
const storePrivateVector = (offset: number) => simd(0x0b, 0x44, 1, ...unsigned(offset));
const splatPrivate = (offset: number) => simd(0x09, 0x42, 1, ...unsigned(offset));
const loadPrivate = (offset: number) => [0x28, 0x42, 1, ...unsigned(offset)];
const loadPrivateFloat = (offset: number) => [0x2a, 0x42, 1, ...unsigned(offset)];
const storePrivate = (offset: number) => [0x36, 0x42, 1, ...unsigned(offset)];
const storePrivateFloat = (offset: number) => [0x38, 0x42, 1, ...unsigned(offset)];

const zero = simd(0x0c, ...Array<number>(16).fill(0));
const splat = simd(0x11);
const splatFloat = simd(0x13);
const addInts = simd(0xae);
const subtractInts = simd(0xb1);
const multiplyInts = simd(0xb5);
const toFloats = simd(0xfa);
const addFloats = simd(0xe4);
const multiplyFloats = simd(0xe6);
const isGreater = simd(0x44);
const or = simd(0x50);
const and = simd(0x4e);
const anyTrue = simd(0x53);
const relaxedDot = simd(0x113);
const dotShorts = simd(0xba);
const shiftShortsLeft = simd(0x8b);
const shiftShortsRight = simd(0x8c);
const shiftShortsRightUnsigned = simd(0x8d);
const lowBytes = simd(0x0c, ...Array.from({ length: 16 }, (_, index) => (index % 2 === 0 ? 0xff : 0)));

// Parameters, then locals.
const [rows, rowCount, entries, positivesEnd, end, scales, sums, bias, shift, threshold, out] = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
] as const;
const parameters = [i32, i32, i32, i32, i32, i32, i32, i32, f32, f32, i32];
const [at, target, lane, start, value, bytes] = [11, 12, 13, 14, 15 + passGroups, 16 + passGroups] as const;
const pointers = Array.from({ length: passGroups }, (_, index) => 15 + index);
const questions = Array.from({ length: passGroups }, (_, index) => 17 + passGroups + index);
const [even, odd] = [17 + 2 * passGroups, 18 + 2 * passGroups] as const;
const values = [17 + passGroups, 18 + passGroups, 19 + passGroups, 20 + passGroups];
// Integers, one float, vectors.
const locals = [3, 4 + passGroups, i32, 1, f32, 3 + passGroups, v128];

const rowOf = (pointer: number) => [...get(pointer), ...get(at), add];

/** Adds to the sums of four rows, which are on the stack, the products with the four bytes of each question. */
const products: Readonly<Record<SimdKind, number[]>> = {
  relaxed: [
    // The instruction takes row, question and sum, so that the sum comes last: each result is the sum of the next.
    ...pointers.flatMap((pointer, index) => [...rowOf(pointer), ...loadVector(0), ...get(questions[index] as number)]),
    ...[...rowOf(target), ...loadPrivateVector(0)],
    ...pointers.flatMap(() => relaxedDot),
  ],
  // Even and odd bytes become shorts, so that each sum of two products belongs to one row.
  plain: [
    ...[...rowOf(target), ...loadPrivateVector(0)],
    ...pointers.flatMap((pointer, index) => [
      ...[...get(questions[index] as number), ...lowBytes, ...and, ...set(even)],
      ...[...get(questions[index] as number), ...constant(8), ...shiftShortsRightUnsigned, ...set(odd)],
      ...[...rowOf(pointer), ...loadVector(0), ...tee(bytes)],
      ...[...constant(8), ...shiftShortsLeft, ...constant(8), ...shiftShortsRight, ...get(even), ...dotShorts],
      ...[...get(bytes), ...constant(8), ...shiftShortsRight, ...get(odd), ...dotShorts],
      ...[...addInts, ...addInts],
    ]),
  ],
};

/** One pass over the rows: a few sequential streams, which the processor reads ahead, and sums in its first cache. */
const addPass = (kind: SimdKind) => [
  ...pointers.flatMap((pointer, index) => [
    ...[...get(rows), ...get(entries), ...loadPrivate(entryBytes * index), add, ...set(pointer)],
    ...[...get(entries), ...splatPrivate(entryBytes * index + 4), ...set(questions[index] as number)],
  ]),
  ...[
    ...constant(0),
    ...constant(sumsBytes / 2),
    ...get(entries),
    ...get(positivesEnd),
    isBelow,
    select,
    ...set(target),
  ],
  ...[...constant(0), ...set(at)],
  ...loop(
    [...rowOf(target), ...products[kind], ...storePrivateVector(0)],
    [...get(at), ...constant(16), add, ...tee(at), ...get(rowCount), isBelow, ...repeatWhen],
  ),
];

// Leaves the values of the step in locals, and on the stack whether any is above the threshold.
const scaleStep = values.flatMap((local, index) => [
  ...[...get(at), ...loadPrivateVector(16 * index), ...get(at), ...loadPrivateVector(sumsBytes / 2 + 16 * index)],
  ...[...subtractInts, ...set(local)],
  ...[...get(bias), ...when(subtractBias(local, index))],
  ...[...get(local), ...toFloats, ...get(shift), ...splatFloat, ...addFloats],
  ...[...rowOf(scales), ...loadVector(16 * index), ...multiplyFloats, ...tee(local)],
  ...[...get(threshold), ...splatFloat, ...isGreater, ...(index === 0 ? [] : or)],
]);

function subtractBias(local: number, index: number): number[] {
  return [
    ...[...get(local), ...rowOf(sums), ...loadVector(16 * index), ...get(bias), ...splat, ...multiplyInts],
    ...[...subtractInts, ...set(local)],
  ];
}

const writeHits = [
  ...values.flatMap((local, index) => [...get(at), ...get(local), ...storePrivateVector(16 * index)]),
  ...[...get(at), ...set(lane)],
  ...loop(
    [...get(lane), ...loadPrivateFloat(0), ...tee(value), ...get(threshold), isFloatGreater],
    when(
      [...get(out), ...get(lane), ...constant(2), shiftRight, ...storePrivate(0)],
      [...get(out), ...get(value), ...storePrivateFloat(4)],
      [...get(out), ...constant(entryBytes), add, ...set(out)],
    ),
    [...get(lane), ...constant(4), add, ...tee(lane)],
    [...get(at), ...constant(4 * stepRows), add, isBelow, ...repeatWhen],
  ),
];

const clearStep = values.flatMap((_, index) => [
  ...[...get(at), ...zero, ...storePrivateVector(16 * index)],
  ...[...get(at), ...zero, ...storePrivateVector(sumsBytes / 2 + 16 * index)],
]);

const bodyOf = (kind: SimdKind) => [
  ...locals,
  ...[...get(out), ...set(start)],
  // From here on a number of bytes.
  ...[...get(rowCount), ...constant(2), shiftLeft, ...set(rowCount)],
  ...loop(addPass(kind), [
    ...[...get(entries), ...constant(entryBytes * passGroups), add, ...tee(entries)],
    ...[...get(end), isBelow, ...repeatWhen],
  ]),
  ...[...constant(0), ...set(at)],
  ...loop(
    [...scaleStep, ...anyTrue, ...when(writeHits), ...clearStep],
    [...[...get(at), ...constant(4 * stepRows), add, ...tee(at), ...get(rowCount), isBelow, ...repeatWhen]],
  ),
  ...[...get(out), ...get(start), subtract, ...constant(3), shiftRight, 0x0b],
];

/** Returns the bytes of a module; {@link ScanExports} describes its function. */
export function scanModule(kind: SimdKind): Uint8Array<ArrayBuffer> {
  const body = bodyOf(kind);
  const content = [...unsigned(body.length), ...body];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, [1, 0x60, parameters.length, ...parameters, 1, i32]),
    // The segment's memory is shared and has a maximum.
    ...section(2, [
      ...[2, ...name('env'), ...name('segment'), 0x02, 0x03, 0, ...unsigned(65_536)],
      ...[...name('env'), ...name('private'), 0x02, 0x00, 0],
    ]),
    ...section(3, [1, 0]),
    ...section(7, [1, ...name('scan'), 0x00, 0]),
    ...section(10, [1, ...content]),
  ]);
}

/** The function of the modules. */
export interface ScanExports {
  /**
   * Scores `rowCount` rows, a multiple of {@link stepRows}, of the block at `rows` in the segment. The value of a row is
   * (Σ products - `bias` * its sum + `shift`) * its scale. Writes position in the block and value of each row above `threshold` to `out`,
   * and returns how many there are. The question is in the private memory: from `entries` the groups whose products are added, from
   * `positivesEnd` to `end` those whose products are subtracted, both a multiple of {@link passGroups}.
   */
  scan(
    rows: number,
    rowCount: number,
    entries: number,
    positivesEnd: number,
    end: number,
    scales: number,
    sums: number,
    bias: number,
    shift: number,
    threshold: number,
    out: number,
  ): number;
}

function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

// Constants are signed: a value with bit 6 set gets one more byte. All values here are positive.
function signed(value: number): number[] {
  return value < 0x40 ? [value] : [(value & 0x7f) | 0x80, ...signed(value >>> 7)];
}

function name(text: string): number[] {
  return [text.length, ...Buffer.from(text)];
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...unsigned(content.length), ...content];
}
