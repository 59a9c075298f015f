import type { IndexRow } from '../../stores/index-row.ts';
import type { Segment } from '../segment.ts';

// The messages between the service and the threads that build segments.

/** The rows of a corpus in a database. */
export interface SnapshotSource {
  /** The tenant's database. */
  path: string;
  /** Paths of the SQLite extensions that are needed to read it. */
  extensions: readonly string[];
  corpusId: number;
  /** The table of the vectors and their dimensions; `undefined`: a snapshot of words. */
  vectors: { table: string; dimensions: number } | undefined;
}

/** A row with what it is searched by. */
export type SnapshotRow = IndexRow & ({ vector: Float32Array } | { tokens: string });

/** A request to the thread. */
export type BuildRequest =
  /** Opens the database of the next load. The load has the rows that the database has now, whatever is written meanwhile. */
  | { kind: 'begin'; source: SnapshotSource }
  /** Reads the corpus of the last `begin`, unless it is larger than `maxBytes`. */
  | { kind: 'load'; maxBytes: number }
  /** Makes a segment of new rows of a version. `dimensions`: of their vectors; `undefined`: they have words. */
  | { kind: 'add'; version: number; rows: readonly SnapshotRow[]; dimensions: number | undefined }
  /** Makes one segment of several, without rows that are deleted. */
  | { kind: 'merge'; segments: readonly Segment[] };

/** The result of a request. */
export interface BuildReply {
  /** `undefined` after `begin`, and if the corpus is too large. */
  segment?: Segment | undefined;
  /** The rows of a merge, by their new position: the index of the segment, and the position there. */
  sources?: RowSources;
}

/** The sources of rows, by position. */
export interface RowSources {
  segments: Uint8Array<ArrayBuffer>;
  positions: Uint32Array<ArrayBuffer>;
}
