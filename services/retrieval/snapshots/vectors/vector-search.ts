import { createCandidates } from './candidates.ts';
import type { CodeBlocks } from './code-blocks.ts';
import { encodeQuestion } from './question.ts';
import type { BlockScan, ScanEngine } from './scan-engine.ts';
import { stepRows } from './scan-module.ts';
import { type VectorSegment, vectorAt } from './vector-segment.ts';

/** A row that was found, by its position in the segment, with the dot product of its vector and the question. */
export interface ScoredRow {
  position: number;
  score: number;
}

/** Returns whether a search may find the row at a position. */
export type RowTest = (position: number) => boolean;

/** Returns the vector at a position of a segment that has only the codes; `undefined` if the row is gone. */
export type ReadVector = (position: number) => Float32Array | undefined;

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
 * same. `readVector`: for a segment that has only the codes.
 */
export function openVectorSegment(segment: VectorSegment, engine: ScanEngine, readVector?: ReadVector): VectorSearch {
  const { blocks, count } = segment;
  const read = readVector ?? ((position: number) => vectorAt(segment, position));
  const nearestOf: VectorSearch['nearestOf'] = (positions, question, passes, limit) =>
    bestOf(read, positions, question, passes, limit);
  if (blocks === undefined) {
    const all = Array.from({ length: count }, (_, position) => position);
    return { nearestOf, nearest: (question, passes, limit) => nearestOf(all, question, passes, limit) };
  }
  const scan = engine.attach(blocks.memory);
  return {
    nearestOf,
    nearest: (question, passes, limit) =>
      nearestOf(findCandidates(blocks, scan, question, count, passes, limit), question, passes, limit),
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
  read: ReadVector,
  positions: readonly number[],
  vector: Float32Array,
  passes: RowTest,
  limit: number,
): ScoredRow[] {
  const question = Float64Array.from(vector);
  const scored: ScoredRow[] = [];
  for (const position of positions) {
    const found = passes(position) ? read(position) : undefined;
    if (found !== undefined && !isZero(found)) scored.push({ position, score: dot(found, question) });
  }
  const scores = Float64Array.from(scored, ({ score }) => score).sort();
  const least = scores[Math.max(0, scores.length - limit)] as number;
  return (
    scored
      // A row that is erased meanwhile no longer passes.
      .filter(({ position, score }) => score >= least && passes(position))
      .sort((a, b) => b.score - a.score || a.position - b.position)
      .slice(0, limit)
  );
}

function isZero(vector: Float32Array): boolean {
  for (let index = 0; index < vector.length; index++) if (vector[index] !== 0) return false;
  return true;
}

// Four sums, so that one addition does not wait for the other.
function dot(vector: Float32Array, question: Float64Array): number {
  let [a, b, c, d] = [0, 0, 0, 0];
  const end = question.length - (question.length % 4);
  for (let index = 0; index < end; index += 4) {
    a += (vector[index] as number) * (question[index] as number);
    b += (vector[index + 1] as number) * (question[index + 1] as number);
    c += (vector[index + 2] as number) * (question[index + 2] as number);
    d += (vector[index + 3] as number) * (question[index + 3] as number);
  }
  for (let index = end; index < question.length; index++) {
    a += (vector[index] as number) * (question[index] as number);
  }
  return a + b + (c + d);
}
