import type { IndexRow } from '../../stores/index-row.ts';
import type { ImageParts } from '../images/image-file.ts';
import type { Segment } from '../segment.ts';
import type { SnapshotSource } from './source.ts';

// The messages between the service and the threads that build segments.

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
  | { kind: 'merge'; segments: readonly Segment[] }
  /** Begins an image with these segments, and removes the oldest images of other corpora if all would have more than `maxBytes`. */
  | { kind: 'begin-image'; source: SnapshotSource; imageId: string; segments: readonly Segment[]; maxBytes: number }
  /** Completes an image with more segments. `parts`: what `begin-image` returned. */
  | { kind: 'end-image'; source: SnapshotSource; imageId: string; parts: ImageParts; segments: readonly Segment[] }
  /** Removes the images of a corpus except for one, or all of a tenant, which is given by the path of its database. */
  | { kind: 'remove-images'; of: SnapshotSource | string; except: string | undefined };

/** A corpus that was read. */
export interface Loaded {
  segments: readonly Segment[];
  image: ImageUse;
}

/** What a load had of an image. */
export type ImageUse =
  /** There is none. */
  | { kind: 'none' }
  /** `changedCount`: rows that it did not have, and rows of it that were deleted. */
  | { kind: 'used'; imageId: string; rowCount: number; changedCount: number }
  | { kind: 'unusable'; reason: string };

/** The result of a request. */
export interface BuildReply {
  /** Of `add` and `merge`. */
  segment?: Segment | undefined;
  /** Of `load`; `undefined` if the corpus is too large. */
  loaded?: Loaded | undefined;
  /** Of `begin-image`. */
  parts?: ImageParts;
  /** The rows of a merge, by their new position: the index of the segment, and the position there. */
  sources?: RowSources;
}

/** The sources of rows, by position. */
export interface RowSources {
  segments: Uint8Array<ArrayBuffer>;
  positions: Uint32Array<ArrayBuffer>;
}
