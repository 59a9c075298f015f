import { forever } from '../../stores/index-row.ts';
import { createRowTableBuilder } from '../rows/row-table.ts';
import type { Segment } from '../segment.ts';
import { createVectorSegment } from '../vectors/vector-segment.ts';
import { wordSegmentOf } from '../words/word-segment.ts';
import type { SnapshotRow } from './protocol.ts';

/** Makes a segment of new rows of a version. `dimensions`: of their vectors; `undefined`: they have words. */
export function addSegment(given: readonly SnapshotRow[], version: number, dimensions: number | undefined): Segment {
  const rows = given.toSorted((a, b) => a.key - b.key);
  const builder = createRowTableBuilder();
  for (const row of rows) builder.add(row, version, forever);
  if (dimensions === undefined) {
    const texts = rows.map((row) => ('tokens' in row ? row.tokens : ''));
    return { rows: builder.share(), index: { kind: 'words', words: wordSegmentOf(texts) } };
  }
  const vectors = rows.flatMap((row) => ('vector' in row ? [row.vector] : []));
  return {
    rows: builder.share(),
    index: { kind: 'vectors', vectors: createVectorSegment(rows.length, dimensions, vectors), stored: undefined },
  };
}
