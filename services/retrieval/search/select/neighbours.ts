import type { PassageRecord } from '../../catalog/passage-record.ts';

/** A passage with the text of its neighbours. */
export interface JoinedPassage {
  record: PassageRecord;
  /** Ids of the joined chunks, in order of the document. */
  joinedIds: string[];
}

/**
 * Joins neighbours to the chunk between them, by their offsets in the document. Text that two chunks share is included once; a gap
 * between two chunks becomes a line break. `neighbours` must be in order of ordinal; only those without a gap in the ordinals are
 * joined.
 */
export function joinNeighbours(record: PassageRecord, neighbours: readonly PassageRecord[]): JoinedPassage {
  const before = neighbours.filter(({ ordinal }) => ordinal < record.ordinal).reverse();
  const after = neighbours.filter(({ ordinal }) => ordinal > record.ordinal);
  let { text, startOffset, endOffset } = record;
  const earlier: string[] = [];
  const later: string[] = [];
  let regions = record.regions ?? [];
  for (const [index, one] of before.entries()) {
    if (one.ordinal !== record.ordinal - 1 - index) break;
    text = one.text.slice(0, Math.max(0, startOffset - one.startOffset)) + gap(one.endOffset, startOffset) + text;
    startOffset = one.startOffset;
    earlier.unshift(one.chunkId);
    regions = [...(one.regions ?? []), ...regions];
  }
  for (const [index, one] of after.entries()) {
    if (one.ordinal !== record.ordinal + 1 + index) break;
    text += gap(endOffset, one.startOffset) + one.text.slice(Math.max(0, endOffset - one.startOffset));
    endOffset = Math.max(endOffset, one.endOffset);
    later.push(one.chunkId);
    regions = [...regions, ...(one.regions ?? [])];
  }
  return {
    record: { ...record, text: text.toWellFormed(), startOffset, endOffset, ...(regions.length > 0 && { regions }) },
    joinedIds: [...earlier, ...later],
  };
}

const gap = (end: number, start: number): string => (start > end ? '\n' : '');
