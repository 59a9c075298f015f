import { allocateBlocks, type CodeBlocks, writeCodes } from './code-blocks.ts';

/**
 * The vectors of rows, by position, in shared memory: threads exchange a segment without a copy, and one of them writes. `vectors`:
 * `Float32Array[dimensions]` of each row, one after another. Without `blocks`, each search reads all vectors.
 */
export interface VectorSegment {
  dimensions: number;
  count: number;
  vectors: Float32Array<SharedArrayBuffer>;
  blocks: CodeBlocks | undefined;
}

/** Segments with at most so many rows have no codes: a search reads their vectors as fast. */
const smallCount = 256;

/** Creates the segment of `count` rows, whose vectors come in order of their positions. */
export function createVectorSegment(count: number, dimensions: number, vectors: Iterable<Float32Array>): VectorSegment {
  const blocks = count > smallCount ? allocateBlocks(count, dimensions) : undefined;
  const copies = new Float32Array(new SharedArrayBuffer(count * dimensions * 4));
  let filled = 0;
  for (const vector of vectors) {
    if (filled === count || vector.length !== dimensions) throw new Error('the vectors differ from their count');
    copies.set(vector, dimensions * filled);
    if (blocks !== undefined) writeCodes(blocks, filled, vector);
    filled++;
  }
  if (filled < count) throw new Error('the vectors differ from their count');
  return { dimensions, count, vectors: copies, blocks };
}

/** Returns the vector at a position, not a copy. */
export function vectorAt({ dimensions, vectors }: VectorSegment, position: number): Float32Array {
  return vectors.subarray(position * dimensions, (position + 1) * dimensions);
}

/**
 * Overwrites vectors with zeros. The rows must already fail the test of every search: a search that has read zeros tests its best rows again.
 */
export function eraseVectors(segment: VectorSegment, positions: Iterable<number>): void {
  const zeros = new Float32Array(segment.dimensions);
  for (const position of positions) {
    vectorAt(segment, position).set(zeros);
    if (segment.blocks !== undefined) writeCodes(segment.blocks, position, zeros);
  }
}

/** Returns the size of a segment in bytes. */
export function vectorSegmentBytes({ vectors, blocks }: VectorSegment): number {
  return vectors.byteLength + (blocks?.memory.buffer.byteLength ?? 0);
}
