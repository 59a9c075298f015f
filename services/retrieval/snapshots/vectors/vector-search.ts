import { createCandidates } from './candidates.ts';
import type { CodeBlocks } from './code-blocks.ts';
import { encodeQuestion } from './question.ts';
import type { BlockScan, ScanEngine } from './scan-engine.ts';
import { stepRows } from './scan-module.ts';
import type { VectorSegment } from './vector-segment.ts';

/** A row that was found, by its position in the segment, with the dot product of its vector and the question. */
export interface ScoredRow {
  position: number;
  score: number;
}

/** Returns whether a search may find the row at a position. */
export type RowTest = (position: number) => boolean;

/** Searches a segment, in one thread. The best rows come first; of equal scores the lower position. No search finds a zero vector. */
export interface VectorSearch {
  /** Returns the best rows that pass. `question`: `Float32Array[dimensions]` of length 1, as all vectors have. */
  nearest(question: Float32Array, passes: RowTest, limit: number): ScoredRow[];
  /** The same among few rows, at ascending positions, without reading the others. */
  nearestOf(positions: readonly number[], question: Float32Array, passes: RowTest, limit: number): ScoredRow[];
}

/**
 * Half the width of the interval in which the exact score of a row is assumed, in steps of the codes. Their rounding errors are taken as
 * independent and uniform, with a deviation of a step / √12; a row is lost only if the sum of its errors is above four deviations.
 */
const halfWidth = 4 / Math.sqrt(12);

/**
 * Opens a segment for searches. A scan of the codes finds the rows that may be among the best; their exact scores decide. All engines return the
 * same.
 */
export function openVectorSegment(segment: VectorSegment, engine: ScanEngine): VectorSearch {
  const { blocks, count } = segment;
  if (blocks === undefined) {
    const all = Array.from({ length: count }, (_, position) => position);
    return {
      nearest: (question, passes, limit) => bestOf(segment, all, question, passes, limit),
      nearestOf: (positions, question, passes, limit) => bestOf(segment, positions, question, passes, limit),
    };
  }
  const scan = engine.attach(blocks.memory);
  return {
    nearest(question, passes, limit) {
      const positions = findCandidates(blocks, scan, question, count, passes, limit);
      return bestOf(segment, positions, question, passes, limit);
    },
    nearestOf: (positions, question, passes, limit) => bestOf(segment, positions, question, passes, limit),
  };
}

function findCandidates(
  { blockRows, blockBytes, codes, scales, sums }: CodeBlocks,
  scan: BlockScan,
  vector: Float32Array,
  count: number,
  passes: RowTest,
  limit: number,
): number[] {
  const question = encodeQuestion(vector);
  // Values are upper bounds of scores, divided by the scale of the question: there a step of the question is 1, and one of a row its scale
  // divided by that of the question.
  const rowError = halfWidth / question.scale;
  const candidates = createCandidates(limit, 2 * halfWidth);
  scan.ask(question, blockRows);
  for (let start = 0; start < count; start += blockRows) {
    const block = {
      codes: codes.byteOffset + (start / blockRows) * blockBytes,
      scales: scales.byteOffset + 4 * start,
      sums: sums.byteOffset + 4 * start,
      rowCount: Math.ceil(Math.min(blockRows, count - start) / stepRows) * stepRows,
    };
    const hitCount = scan.score(block, question.bias, rowError, candidates.threshold);
    for (let hit = 0; hit < hitCount; hit++) {
      const position = start + (scan.positions[2 * hit] as number);
      const value = scan.values[2 * hit] as number;
      const scale = scales[position] as number;
      // The test of a row costs more than its score. Rows after the last one have a scale of 0, as zero vectors have.
      if (!(value > candidates.threshold) || scale === 0 || !passes(position)) continue;
      candidates.add(position, value, value - 2 * rowError * scale);
    }
  }
  return candidates.positions();
}

function bestOf(
  { vectors }: VectorSegment,
  positions: readonly number[],
  vector: Float32Array,
  passes: RowTest,
  limit: number,
): ScoredRow[] {
  const question = Float64Array.from(vector);
  const passing = positions.filter((position) => passes(position) && !isZero(vectors, position, question.length));
  const scores = Float64Array.from(passing, (position) => dot(vectors, position * question.length, question));
  const least = scores.toSorted()[Math.max(0, scores.length - limit)] as number;
  const best: ScoredRow[] = [];
  for (const [index, score] of scores.entries()) {
    const position = passing[index] as number;
    // A row that is erased meanwhile no longer passes.
    if (score >= least && passes(position)) best.push({ position, score });
  }
  return best.sort((a, b) => b.score - a.score || a.position - b.position).slice(0, limit);
}

function isZero(vectors: Float32Array, position: number, dimensions: number): boolean {
  for (let index = 0; index < dimensions; index++) if (vectors[position * dimensions + index] !== 0) return false;
  return true;
}

// Four sums, so that one addition does not wait for the other.
function dot(vectors: Float32Array, start: number, question: Float64Array): number {
  let [a, b, c, d] = [0, 0, 0, 0];
  const end = question.length - (question.length % 4);
  for (let index = 0; index < end; index += 4) {
    a += (vectors[start + index] as number) * (question[index] as number);
    b += (vectors[start + index + 1] as number) * (question[index + 1] as number);
    c += (vectors[start + index + 2] as number) * (question[index + 2] as number);
    d += (vectors[start + index + 3] as number) * (question[index + 3] as number);
  }
  for (let index = end; index < question.length; index++) {
    a += (vectors[start + index] as number) * (question[index] as number);
  }
  return a + b + (c + d);
}
