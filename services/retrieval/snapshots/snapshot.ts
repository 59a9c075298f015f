import type { Change, IndexRow } from '../stores/index-row.ts';
import type { RowSources } from './build/protocol.ts';
import { markRows } from './rows/row-changes.ts';
import type { SharedSegment } from './search/search-threads.ts';
import { type Segment, segmentBytes } from './segment.ts';
import { eraseVectors } from './vectors/vector-segment.ts';

/**
 * The rows of a corpus in memory, in all of its versions: a segment from the load or a merge, and smaller ones from later changes. A change
 * adds a segment or marks rows; nothing is thrown away before its successor serves.
 */
export interface Snapshot {
  segments: HeldSegment[];
  /** Rows that were added or deleted since its image was written (images/images.ts). */
  changedCount: number;
}

/** A segment of a snapshot. */
export interface HeldSegment extends SharedSegment {
  sizeBytes: number;
  /** Rows that belong to no version. */
  deletedCount: number;
}

/** Returns a segment as a snapshot holds it. */
export function holdSegment(segmentId: number, segment: Segment): HeldSegment {
  let deletedCount = 0;
  for (const removed of segment.rows.removedIn) if (removed === 0) deletedCount++;
  return { segmentId, segment, sizeBytes: segmentBytes(segment), deletedCount };
}

/** Returns the number of rows that are in some version. */
export function rowCountOf({ segments }: Snapshot): number {
  return segments.reduce((sum, { segment, deletedCount }) => sum + segment.rows.keys.length - deletedCount, 0);
}

/** Returns the size of a snapshot in bytes. */
export function snapshotBytes({ segments }: Snapshot): number {
  return segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

/**
 * Applies a change that the store has made. `added`: the segment of the change's new rows. Searches that begin later see the change. Returns
 * the numbers of segments that have no rows left.
 */
export function changeSnapshot(
  snapshot: Snapshot,
  change: Change<IndexRow>,
  added: HeldSegment | undefined,
): readonly number[] {
  for (const held of snapshot.segments) {
    const { rows, index } = held.segment;
    const deleted = markRows(rows, change);
    held.deletedCount += deleted.length;
    snapshot.changedCount += deleted.length;
    // What versions have dropped is removed by the next merge; what was purged must not stay that long.
    if (index.kind === 'vectors' && isPurge(change)) eraseVectors(index.vectors, deleted);
  }
  if (added !== undefined) {
    snapshot.segments.push(added);
    snapshot.changedCount += added.segment.rows.keys.length;
  }
  const empty = snapshot.segments.filter(({ segment, deletedCount }) => deletedCount === segment.rows.keys.length);
  if (empty.length > 0) snapshot.segments = snapshot.segments.filter((held) => !empty.includes(held));
  return empty.map(({ segmentId }) => segmentId);
}

function isPurge({ kind }: Change<IndexRow>): boolean {
  return kind === 'purge' || kind === 'forget';
}

/** Most segments of a snapshot: each one costs a search some time. */
const maxSegments = 8;
/** A segment is merged if more than this share of its rows is deleted. */
const maxDeleted = 0.2;

/** Returns the segments that are to become one, or none. */
export function segmentsToMerge({ segments }: Pick<Snapshot, 'segments'>): readonly HeldSegment[] {
  const rowCount = ({ segment }: HeldSegment) => segment.rows.keys.length;
  const ascending = segments.toSorted((a, b) => rowCount(a) - rowCount(b));
  const largestStale = ascending.findLastIndex((held) => held.deletedCount > rowCount(held) * maxDeleted);
  // Smaller segments go with it at little cost.
  if (largestStale >= 0) return ascending.slice(0, largestStale + 1);
  if (segments.length <= maxSegments) return [];
  // The smallest, as long as the next one is not larger than those before it together: so each row is copied a few times only.
  let count = 2;
  let sum = rowCount(ascending[0] as HeldSegment) + rowCount(ascending[1] as HeldSegment);
  while (count < ascending.length && rowCount(ascending[count] as HeldSegment) <= sum) {
    sum += rowCount(ascending[count++] as HeldSegment);
  }
  return ascending.slice(0, count);
}

/**
 * Replaces segments by the one that they were merged into. Rows that changed while they were merged change in it too. Runs without a pause, so
 * that no change is lost.
 */
export function replaceMerged(
  snapshot: Snapshot,
  merged: readonly HeldSegment[],
  result: HeldSegment,
  sources: RowSources,
): void {
  const { rows, index } = result.segment;
  const { aclIds, removedIn } = rows;
  const deleted: number[] = [];
  for (let position = 0; position < removedIn.length; position++) {
    const from = (merged[sources.segments[position] as number] as HeldSegment).segment.rows;
    const at = sources.positions[position] as number;
    aclIds[position] = from.aclIds[at] as number;
    const removed = from.removedIn[at] as number;
    removedIn[position] = removed;
    if (removed === 0) deleted.push(position);
  }
  result.deletedCount = deleted.length;
  if (index.kind === 'vectors') eraseVectors(index.vectors, deleted);
  const others = snapshot.segments.filter((held) => !merged.includes(held));
  snapshot.segments = result.deletedCount === removedIn.length ? others : [result, ...others];
}
