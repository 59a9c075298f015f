// Dot products by WebAssembly SIMD: four floats in an instruction, JavaScript has one. The module is small enough to be written as bytes
// (https://webassembly.github.io/spec/core/binary/): one function over one imported memory.

/** Floats of one step. Rows and queries are padded with zeros to a multiple of it. */
export const stepFloats = 16;

/** Scores rows against a query. */
export interface DotKernel {
  /**
   * Writes the dot product of `query` with each of `count` rows from `rows` on to `out`. All are byte addresses in the memory,
   * `rowBytes` is the length of a row, a multiple of 4 * {@link stepFloats}.
   */
  dots(query: number, rows: number, count: number, rowBytes: number, out: number): void;
}

const i32 = 0x7f;
const v128 = 0x7b;
const empty = 0x40;
const get = (local: number) => [0x20, local];
const set = (local: number) => [0x21, local];
const constant = (value: number) => [0x41, ...leb(value)];
const add = 0x6a;
const subtract = 0x6b;
const simd = (code: number, ...rest: number[]) => [0xfd, ...leb(code), ...rest];
const load = (offset: number) => simd(0x00, 4, ...leb(offset));
const zero = simd(0x0c, ...Array<number>(16).fill(0));
const addFloats = simd(0xe4);
const multiplyFloats = simd(0xe6);
const lane = (index: number) => simd(0x1f, index);
const addFloat = 0x92;

// Parameters, then locals.
const [query, row, count, rowBytes, out, rowEnd, at] = [0, 1, 2, 3, 4, 5, 6];
const sums = [7, 8, 9, 10] as const;

const body = [
  ...[2, 2, i32, 4, v128],
  ...[0x02, empty, 0x03, empty],
  // Until no row is left.
  ...[...get(count), 0x45, 0x0d, 1],
  ...sums.flatMap((sum) => [...zero, ...set(sum)]),
  ...[...get(row), ...get(rowBytes), add, ...set(rowEnd), ...get(query), ...set(at)],
  ...[0x03, empty],
  ...sums.flatMap((sum, index) => [
    ...[...get(sum), ...get(row), ...load(16 * index), ...get(at), ...load(16 * index)],
    ...[...multiplyFloats, ...addFloats, ...set(sum)],
  ]),
  ...[...get(at), ...constant(4 * stepFloats), add, ...set(at)],
  ...[...get(row), ...constant(4 * stepFloats), add, 0x22, row, ...get(rowEnd), 0x49, 0x0d, 0],
  0x0b,
  ...[...get(sums[0]), ...get(sums[1]), ...addFloats, ...get(sums[2]), ...get(sums[3]), ...addFloats],
  ...[...addFloats, ...set(sums[0])],
  ...[...get(out), ...get(sums[0]), ...lane(0), ...get(sums[0]), ...lane(1), addFloat],
  ...[...get(sums[0]), ...lane(2), ...get(sums[0]), ...lane(3), addFloat, addFloat, 0x38, 2, 0],
  ...[...get(out), ...constant(4), add, ...set(out), ...get(count), ...constant(1), subtract, ...set(count)],
  ...[0x0c, 0, 0x0b, 0x0b, 0x0b],
];

const moduleBytes = Uint8Array.from([
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
  ...section(1, [1, 0x60, 5, i32, i32, i32, i32, i32, 0]),
  ...section(2, [1, ...name('env'), ...name('memory'), 0x02, 0x00, 0x00]),
  ...section(3, [1, 0]),
  ...section(7, [1, ...name('dots'), 0x00, 0]),
  ...section(10, [1, ...leb(body.length), ...body]),
]);

let compiled: WebAssembly.Module | undefined;

/** Creates the kernel over a memory. */
export function createDotKernel(memory: WebAssembly.Memory): DotKernel {
  compiled ??= new WebAssembly.Module(moduleBytes);
  return new WebAssembly.Instance(compiled, { env: { memory } }).exports as unknown as DotKernel;
}

// Constants are signed: a value with bit 6 set gets one more byte. All values here are small and positive.
function leb(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (;;) {
    const low = rest & 0x7f;
    rest >>= 7;
    if (rest === 0 && (low & 0x40) === 0) return [...bytes, low];
    bytes.push(low | 0x80);
  }
}

function name(text: string): number[] {
  return [text.length, ...Buffer.from(text)];
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...leb(content.length), ...content];
}
