import type { QueryWord } from '#kit/text/query/query-words.ts';
import type { Hit, RowFilter } from '../../stores/index-row.ts';
import type { Segment } from '../segment.ts';

// The messages between the service and the threads that search.

/** A search of snapshots. */
export type SnapshotQuery = { aclIds: readonly number[]; filter: RowFilter | undefined; limit: number } & (
  | { kind: 'near'; vector: Float32Array }
  | { kind: 'words'; words: readonly QueryWord[] }
);

/** A segment to search, and the version whose rows count. */
export interface SearchTarget {
  segmentId: number;
  version: number;
}

/** A request to a thread. */
export type SearchRequest =
  /** `attached`: segments that the thread does not have yet. */
  | { kind: 'search'; attached: readonly AttachedSegment[]; targets: readonly SearchTarget[]; query: SnapshotQuery }
  | { kind: 'detach'; segmentIds: readonly number[] }
  /** Searches a few rows of its own, so that the code is compiled before the first search. */
  | { kind: 'warm' };

/** A segment with its number. */
export interface AttachedSegment {
  segmentId: number;
  segment: Segment;
}

/** The best hits of a search, best first; none after the other requests. */
export interface SearchReply {
  hits: Hit[];
}
