import { createRowTableBuilder, isAlive, type RowTable } from '../rows/row-table.ts';
import type { Segment, SegmentIndex } from '../segment.ts';
import { createVectorSegment, vectorAt } from '../vectors/vector-segment.ts';
import { dropped, mergeWordSegments, type WordSegment } from '../words/word-segment.ts';
import type { RowSources } from './protocol.ts';
import { openStoredVectors } from './stored-vectors.ts';

/** Makes one segment of several of a snapshot, without rows that are deleted. The segments stay as they are, and may be searched meanwhile. */
export function mergeSegments(segments: readonly Segment[]): { segment: Segment; sources: RowSources } {
  const tables = segments.map(({ rows }) => rows);
  const sources = orderRows(tables);
  const rowCount = sources.positions.length;
  const builder = createRowTableBuilder();
  const newPositions = tables.map(({ keys }) => new Uint32Array(keys.length).fill(dropped));
  for (let position = 0; position < rowCount; position++) {
    const index = sources.segments[position] as number;
    const from = sources.positions[position] as number;
    builder.copy(tables[index] as RowTable, from);
    (newPositions[index] as Uint32Array)[from] = position;
  }
  return { segment: { rows: builder.share(), index: mergeIndex(segments, sources, newPositions) }, sources };
}

// Returns the rows of all tables that are not deleted, in order of their keys.
function orderRows(tables: readonly RowTable[]): RowSources {
  const capacity = tables.reduce((sum, { keys }) => sum + keys.length, 0);
  const segments = new Uint8Array(capacity);
  const positions = new Uint32Array(capacity);
  const next = tables.map((table) => nextAlive(table, 0));
  let count = 0;
  for (;;) {
    let least = -1;
    let leastKey = Number.POSITIVE_INFINITY;
    for (const [index, { keys }] of tables.entries()) {
      const key = keys[next[index] as number];
      if (key === undefined || key >= leastKey) continue;
      least = index;
      leastKey = key;
    }
    if (least < 0) return { segments: segments.slice(0, count), positions: positions.slice(0, count) };
    const position = next[least] as number;
    segments[count] = least;
    positions[count++] = position;
    next[least] = nextAlive(tables[least] as RowTable, position + 1);
  }
}

function nextAlive(table: RowTable, from: number): number {
  let position = from;
  while (position < table.keys.length && !isAlive(table, position)) position++;
  return position;
}

function mergeIndex(
  segments: readonly Segment[],
  sources: RowSources,
  newPositions: readonly Uint32Array[],
): SegmentIndex {
  const first = segments[0]?.index;
  const rowCount = sources.positions.length;
  if (first?.kind === 'vectors') return mergeVectors(segments, sources, first.vectors.dimensions);
  const parts = segments.map(({ index }) => (index as { words: WordSegment }).words);
  return { kind: 'words', words: mergeWordSegments(parts, newPositions, rowCount) };
}

// Like the load, a merge that finds only the codes of one segment keeps only codes.
function mergeVectors(segments: readonly Segment[], sources: RowSources, dimensions: number): SegmentIndex {
  const parts = segments.map(({ rows, index }) => ({ rows, index: index as SegmentIndex & { kind: 'vectors' } }));
  const stored = parts.find(({ index }) => index.vectors.vectors === undefined)?.index.stored;
  const reader = stored && openStoredVectors(stored);
  const rowCount = sources.positions.length;
  function* vectors() {
    for (let position = 0; position < rowCount; position++) {
      const { rows, index } = parts[sources.segments[position] as number] as (typeof parts)[number];
      const from = sources.positions[position] as number;
      const vector = vectorAt(index.vectors, from) ?? reader?.read(rows.keys[from] as number);
      // A row that the store has lost is being deleted here too.
      yield vector ?? new Float32Array(dimensions);
    }
  }
  try {
    const merged = createVectorSegment(rowCount, dimensions, vectors(), reader === undefined);
    return { kind: 'vectors', vectors: merged, stored };
  } finally {
    reader?.close();
  }
}
