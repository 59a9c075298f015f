import type { StoredVectors } from './build/stored-vectors.ts';
import { type RowTable, rowTableBytes } from './rows/row-table.ts';
import { type VectorSegment, vectorSegmentBytes } from './vectors/vector-segment.ts';
import { type WordSegment, wordSegmentBytes } from './words/word-segment.ts';

/**
 * A part of a snapshot in shared memory: rows with their vectors or their words. Only the columns of the rows that `RowTable` names change
 * after it was built; new rows are in segments of their own.
 */
export interface Segment {
  rows: RowTable;
  index: SegmentIndex;
}

/** What a segment is searched by. `stored`: the vectors of a segment that has only their codes. */
export type SegmentIndex =
  | { kind: 'vectors'; vectors: VectorSegment; stored: StoredVectors | undefined }
  | { kind: 'words'; words: WordSegment };

/** Returns the size of a segment in bytes. */
export function segmentBytes({ rows, index }: Segment): number {
  return (
    rowTableBytes(rows) + (index.kind === 'vectors' ? vectorSegmentBytes(index.vectors) : wordSegmentBytes(index.words))
  );
}
