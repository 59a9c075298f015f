import type { Snapshots } from '../snapshots/snapshots.ts';
import type { SqliteThreads } from '../sqlite/threads.ts';
import type { Change, Hit, IndexRow, Scope } from './index-row.ts';

/** The space that vectors live in. Vectors of different spaces never meet. */
export interface VectorSpace {
  model: string;
  dimensions: number;
}

/** A chunk with its embedding. */
export interface VectorRow extends IndexRow {
  /** `Float32Array[dimensions]` of length 1, or all zero: then the row counts, and no search finds it. */
  vector: Float32Array<ArrayBuffer>;
}

/** A search by vector. */
export interface VectorQuery {
  space: VectorSpace;
  /** `Float32Array[dimensions]` of length 1. */
  vector: Float32Array<ArrayBuffer>;
  scope: Scope;
  limit: number;
}

/** Where embeddings are kept and searched. The tenants' rows are apart in such a way that no call can reach across. */
export interface VectorStore {
  /** Changes a corpus, durably: when this resolves, searches see it. `space`: of the vectors in `change`. */
  apply(tenant: string, corpusId: number, space: VectorSpace | undefined, change: Change<VectorRow>): Promise<void>;
  /** The nearest rows of the scope, best first, with their cosine (-1 to 1): exactly those, whatever the conditions. */
  search(tenant: string, query: VectorQuery, signal: AbortSignal): Promise<Hit[]>;
  /** Rows of a version. */
  count(tenant: string, corpusId: number, version: number, signal: AbortSignal): Promise<number>;
  /** Keys of all rows of a corpus above `after`, ascending, at most `limit`. */
  listKeys(tenant: string, corpusId: number, after: number, limit: number, signal: AbortSignal): Promise<number[]>;
  /** Called after a version was published: time to tidy up, until `signal` aborts. Never needed for a right answer. */
  settle(tenant: string, corpusId: number, signal: AbortSignal): Promise<void>;
  /** Frees everything. */
  close(): Promise<void>;
}

/** What an adapter of the port is given. */
export interface StoreDeps {
  /** A folder for its files; may not exist yet. */
  folder: string;
  /** For stores that are embedded. */
  threads: SqliteThreads;
  /** Copies of versions in memory, for stores that are embedded; the store closes them. @default none */
  snapshots?: Snapshots;
}
