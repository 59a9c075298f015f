import { allocateBlocks, type CodeBlocks, writeCodes } from './code-blocks.ts';

/**
 * The vectors of rows, by position, in shared memory: threads exchange a segment without a copy, and one of them writes.
 */
export interface VectorSegment {
  dimensions: number;
  count: number;
  /** `Float32Array[dimensions]` of each row, one after another; `undefined`: only the codes are in memory. */
  vectors: Float32Array<SharedArrayBuffer> | undefined;
  /** `undefined`: each search reads all vectors. */
  blocks: CodeBlocks | undefined;
}

/** Segments with at most so many rows have no codes: a search reads their vectors as fast. */
const smallCount = 256;

/**
 * Creates the segment of `count` rows, whose vectors come in order of their positions. `keepsVectors`: whether it has the vectors beside their
 * codes; a small one always has.
 */
export function createVectorSegment(
  count: number,
  dimensions: number,
  vectors: Iterable<Float32Array>,
  keepsVectors = true,
): VectorSegment {
  const blocks = count > smallCount ? allocateBlocks(count, dimensions) : undefined;
  const isKept = keepsVectors || blocks === undefined;
  const copies = isKept ? new Float32Array(new SharedArrayBuffer(count * dimensions * 4)) : undefined;
  let filled = 0;
  for (const vector of vectors) {
    if (filled === count || vector.length !== dimensions) throw new Error('the vectors differ from their count');
    copies?.set(vector, dimensions * filled);
    if (blocks !== undefined) writeCodes(blocks, filled, vector);
    filled++;
  }
  if (filled < count) throw new Error('the vectors differ from their count');
  return { dimensions, count, vectors: copies, blocks };
}

/** Returns the vector at a position, not a copy; `undefined` if only its code is in memory. */
export function vectorAt({ dimensions, vectors }: VectorSegment, position: number): Float32Array | undefined {
  return vectors?.subarray(position * dimensions, (position + 1) * dimensions);
}

/**
 * Overwrites vectors with zeros. The rows must already fail the test of every search: a search that has read zeros tests its best rows again.
 */
export function eraseVectors(segment: VectorSegment, positions: Iterable<number>): void {
  const zeros = new Float32Array(segment.dimensions);
  for (const position of positions) {
    vectorAt(segment, position)?.set(zeros);
    if (segment.blocks !== undefined) writeCodes(segment.blocks, position, zeros);
  }
}

/** Returns the size of a segment in bytes. */
export function vectorSegmentBytes({ vectors, blocks }: VectorSegment): number {
  return (vectors?.byteLength ?? 0) + (blocks?.memory.buffer.byteLength ?? 0);
}

/** Returns the bytes of a row in a segment that is not small. */
export function vectorRowBytes(dimensions: number, keepsVectors: boolean): number {
  const codeBytes = dimensions + 8;
  return keepsVectors ? codeBytes + dimensions * 4 : codeBytes;
}
