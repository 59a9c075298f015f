import { maxBlockRows, stepRows } from './scan-module.ts';

/**
 * Vectors as int8 codes in a shared WebAssembly memory: value / scale of the row, rounded. A block of rows is
 * `[group of 4 dimensions][row][4 bytes]`, so that one instruction scores four rows and a scan reads only the groups that a question has.
 */
export interface CodeBlocks {
  memory: WebAssembly.Memory;
  /** Rows of each block. */
  blockRows: number;
  blockBytes: number;
  codes: Int8Array<SharedArrayBuffer>;
  /** The scale of each row: its largest value / 127. */
  scales: Float32Array<SharedArrayBuffer>;
  /** The sum of each row's codes. */
  sums: Int32Array<SharedArrayBuffer>;
}

const maxCode = 127;
const pageBytes = 65_536;

/** Returns the number of groups of four dimensions; the last one may have fewer. */
export function groupCount(dimensions: number): number {
  return Math.ceil(dimensions / 4);
}

/**
 * Allocates blocks for `count` rows. Returns `undefined` if the system has no memory: each WebAssembly memory takes 8 GiB of addresses, of which
 * a process has 128 TiB, and holds 4 GiB.
 */
export function allocateBlocks(count: number, dimensions: number): CodeBlocks | undefined {
  const blockRows = Math.min(maxBlockRows, Math.ceil(count / stepRows) * stepRows);
  const blockBytes = blockRows * groupCount(dimensions) * 4;
  const blockCount = Math.ceil(count / blockRows);
  const rowCount = blockCount * blockRows;
  const codesBytes = blockCount * blockBytes;
  const pages = Math.ceil((codesBytes + rowCount * 8) / pageBytes);
  const memory = reserve(pages);
  if (memory === undefined) return undefined;
  const buffer = memory.buffer as unknown as SharedArrayBuffer;
  return {
    memory,
    blockRows,
    blockBytes,
    codes: new Int8Array(buffer, 0, codesBytes),
    scales: new Float32Array(buffer, codesBytes, rowCount),
    sums: new Int32Array(buffer, codesBytes + rowCount * 4, rowCount),
  };
}

function reserve(pages: number): WebAssembly.Memory | undefined {
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  } catch (error) {
    if (error instanceof RangeError || error instanceof TypeError) return undefined;
    throw error;
  }
}

/** Writes the codes of a row. */
export function writeCodes(
  { codes, scales, sums, blockRows, blockBytes }: CodeBlocks,
  position: number,
  vector: Float32Array,
): void {
  let largest = 0;
  for (let index = 0; index < vector.length; index++) largest = Math.max(largest, Math.abs(vector[index] as number));
  const scale = Math.fround(largest / maxCode);
  const perStep = scale === 0 ? 0 : 1 / scale;
  const block = Math.floor(position / blockRows);
  let at = block * blockBytes + (position - block * blockRows) * 4;
  let sum = 0;
  for (let index = 0; index < vector.length; index++) {
    // A scale that was rounded down gives 127.5 at most.
    const code = Math.max(-maxCode, Math.min(maxCode, Math.round((vector[index] as number) * perStep)));
    codes[at + (index & 3)] = code;
    sum += code;
    if ((index & 3) === 3) at += blockRows * 4;
  }
  scales[position] = scale;
  sums[position] = sum;
}
