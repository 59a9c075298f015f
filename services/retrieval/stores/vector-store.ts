import type { Change, Hit, IndexRow, SearchScope } from './index-row.ts';

/** A space of vectors. Vectors of different spaces are never compared. */
export interface VectorSpace {
  model: string;
  dimensions: number;
}

/** A chunk with its embedding. */
export interface VectorRow extends IndexRow {
  /** `Float32Array[dimensions]` of length 1, or all zero: such a row is counted, but no search finds it. */
  vector: Float32Array<ArrayBuffer>;
}

/** A search by vector. */
export interface VectorQuery {
  space: VectorSpace;
  /** `Float32Array[dimensions]` of length 1. */
  vector: Float32Array<ArrayBuffer>;
  scope: SearchScope;
  limit: number;
}

/** A store of embeddings. The rows of tenants are separate: no call can reach the rows of another tenant. */
export interface VectorStore {
  /** Changes a corpus. When this resolves, the change is durable and searches see it. `space`: of the vectors in `change`. */
  apply(tenant: string, corpusId: number, space: VectorSpace | undefined, change: Change<VectorRow>): Promise<void>;
  /**
   * Returns the nearest rows of the scope, best first, with their cosine (-1 to 1). The scope is applied inside the search, so the
   * result is exactly the best rows that pass.
   */
  search(tenant: string, query: VectorQuery, signal: AbortSignal): Promise<Hit[]>;
  /** Returns the number of rows of a version. */
  count(tenant: string, corpusId: number, version: number, signal: AbortSignal): Promise<number>;
  /** Returns the keys above `after` of a corpus's rows in all versions, ascending, at most `limit`. */
  listKeys(tenant: string, corpusId: number, after: number, limit: number, signal: AbortSignal): Promise<number[]>;
  /** Compacts the corpus's rows after a publish, until `signal` aborts. Answers are correct without it. */
  maintain(tenant: string, corpusId: number, signal: AbortSignal): Promise<void>;
  /** Removes what deleted rows of a tenant have left in files of this process. @default a server does it by itself */
  scrub?(tenant: string): Promise<void>;
  /**
   * Brings into memory what searches of the corpus need, before a version of it becomes live; for stores that search in memory. Answers are
   * correct without it.
   */
  prepare?(tenant: string, corpusId: number, signal: AbortSignal): Promise<void>;
  /** Releases all resources. */
  close(): Promise<void>;
}
