import { groupCount } from './code-blocks.ts';
import type { GroupBytes, QuestionGroups } from './scan-engine.ts';

/** A question as the scan reads it. */
export interface Question extends QuestionGroups {
  /** The approximate score of a row is (Σ products - `bias` * sum of codes) * the row's scale * `scale`. */
  readonly scale: number;
  readonly bias: number;
}

/** Largest byte of a question: with seven bits every processor gives the same sums. */
const maxByte = 127;
/** Byte of a value of 0 in a dense question, and the largest distance from it. */
const middle = 64;
const maxDistance = 63;

/**
 * Encodes a question. One with many zeros is split into a positive and a negative part, of which only groups with a value are read; in a
 * dense one zero is in the middle, and the rows' sums correct that.
 */
export function encodeQuestion(vector: Float32Array): Question {
  let largest = 0;
  for (const value of vector) largest = Math.max(largest, Math.abs(value));
  const sparse = encodeSparse(vector, largest / maxByte || 1);
  const isSparse = sparse.added.length + sparse.subtracted.length <= groupCount(vector.length);
  return isSparse ? sparse : encodeDense(vector, largest / maxDistance);
}

function encodeSparse(vector: Float32Array, scale: number): Question {
  const added: GroupBytes[] = [];
  const subtracted: GroupBytes[] = [];
  for (let group = 0; group < groupCount(vector.length); group++) {
    const positive = bytesOf(vector, group, (value) => Math.max(0, Math.round(value / scale)));
    const negative = bytesOf(vector, group, (value) => Math.max(0, Math.round(-value / scale)));
    if (positive !== 0) added.push({ group, bytes: positive });
    if (negative !== 0) subtracted.push({ group, bytes: negative });
  }
  return { added, subtracted, scale, bias: 0 };
}

function encodeDense(vector: Float32Array, scale: number): Question {
  const added = Array.from({ length: groupCount(vector.length) }, (_, group) => ({
    group,
    bytes: bytesOf(vector, group, (value) => Math.round(value / scale) + middle),
  }));
  return { added, subtracted: [], scale, bias: middle };
}

function bytesOf(vector: Float32Array, group: number, encode: (value: number) => number): number {
  let bytes = 0;
  for (let offset = 0; offset < 4; offset++) {
    // Rows have zeros after their last dimension.
    bytes |= encode(vector[4 * group + offset] ?? 0) << (8 * offset);
  }
  return bytes;
}
