import { createDotKernel, type DotKernel, stepFloats } from './dot-kernel.ts';
import { type TopHits, topHits } from './top-hits.ts';

/** The vectors of an index version in memory. */
export interface VectorBlock {
  /** Size in bytes. */
  readonly sizeBytes: number;
  /** Returns the rows nearest to `query` with their dot products. Only rows with an access list in `aclIds` are found. */
  search(query: Float32Array, aclIds: readonly number[], limit: number): TopHits;
}

const pageBytes = 65_536;
/** Rows of one batch: their scores stay in the processor's cache. */
const batchRows = 4096;

/** Loads `count` vectors of `dimensions` into memory. `rows` yields them in order. */
export function createVectorBlock(
  count: number,
  dimensions: number,
  rows: Iterable<{ vector: Uint8Array; aclId: number }>,
): VectorBlock {
  const rowBytes = Math.ceil(dimensions / stepFloats) * stepFloats * 4;
  const scoresAt = rowBytes;
  const rowsAt = scoresAt + batchRows * 4;
  const memoryBytes = rowsAt + count * rowBytes;
  const memory = new WebAssembly.Memory({ initial: Math.max(1, Math.ceil(memoryBytes / pageBytes)) });
  const bytes = new Uint8Array(memory.buffer);
  const aclOf = new Int32Array(count);
  let filled = 0;
  for (const { vector, aclId } of rows) {
    if (filled === count || vector.byteLength !== dimensions * 4) throw new Error('the rows differ from their count');
    bytes.set(vector, rowsAt + filled * rowBytes);
    aclOf[filled++] = aclId;
  }
  const kernel: DotKernel = createDotKernel(memory);
  const batch = new Float32Array(memory.buffer, scoresAt, batchRows);
  const scores = new Float32Array(filled);
  return {
    sizeBytes: memoryBytes + count * 8,
    search(query, aclIds, limit) {
      new Float32Array(memory.buffer, 0, dimensions).set(query);
      for (let start = 0; start < filled; start += batchRows) {
        const rowCount = Math.min(batchRows, filled - start);
        kernel.dots(0, rowsAt + start * rowBytes, rowCount, rowBytes, scoresAt);
        scores.set(rowCount === batchRows ? batch : batch.subarray(0, rowCount), start);
      }
      const passes = aclTest(aclIds);
      return topHits(scores, filled, limit, Number.NEGATIVE_INFINITY, (position) => passes(aclOf[position] as number));
    },
  };
}

/** Returns a test whether an access list is in `aclIds`. */
export function aclTest(aclIds: readonly number[]): (aclId: number) => boolean {
  const marks = new Uint8Array(Math.max(0, ...aclIds) + 1);
  for (const aclId of aclIds) marks[aclId] = 1;
  return (aclId) => marks[aclId] === 1;
}
