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
