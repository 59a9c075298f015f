import type { QueryWord } from '#kit/text/query/query-words.ts';

// The messages between the service and the thread that searches snapshots.

/** The source of a snapshot. */
export interface SnapshotSource {
  /** The tenant's database. */
  path: string;
  /** Paths of the SQLite extensions that are needed to read it. */
  extensions: readonly string[];
  corpusId: number;
  version: number;
  /** The table of the vectors and their dimensions; `undefined`: a snapshot of words. */
  vectors: { table: string; dimensions: number } | undefined;
}

/** A request to the thread. */
export type SnapshotRequest =
  | { kind: 'load'; snapshotId: number; source: SnapshotSource; maxBytes: number }
  | { kind: 'near'; snapshotIds: readonly number[]; vector: Float32Array; aclIds: readonly number[]; limit: number }
  | {
      kind: 'words';
      snapshotIds: readonly number[];
      words: readonly QueryWord[];
      aclIds: readonly number[];
      limit: number;
    }
  | { kind: 'drop'; snapshotId: number };

/** A row that was found. */
export interface SnapshotHit {
  key: number;
  chunkId: string;
  documentId: string;
  score: number;
}

/** The result of a request: the size of a snapshot in bytes (`undefined` if it does not fit), or hits. */
export interface SnapshotReply {
  sizeBytes?: number | undefined;
  hits?: SnapshotHit[];
}
