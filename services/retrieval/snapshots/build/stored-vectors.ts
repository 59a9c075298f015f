import { openSqlite } from '#kit/storage/sqlite/open.ts';
import { toFloats } from './stored-rows.ts';

/** The vectors of a corpus in a tenant's database, for segments that have only their codes in memory. */
export interface StoredVectors {
  /** The tenant's database. */
  path: string;
  /** Paths of the SQLite extensions that are needed to read it. */
  extensions: readonly string[];
  table: string;
}

/** Reads vectors one by one, about 20 µs each in a table of a million. */
export interface StoredVectorReader {
  /** Returns the vector of a key, in memory of its own; `undefined` if the database does not have it. */
  read(key: number): Float32Array | undefined;
  close(): void;
}

/** Opens the vectors of a corpus. */
export function openStoredVectors({ path, extensions, table }: StoredVectors): StoredVectorReader {
  const db = openSqlite(path, { extensions, readOnly: true, timeoutMs: 10_000 });
  try {
    const find = db.prepare(`SELECT embedding FROM ${table} WHERE rowid = ?`);
    return {
      read(key) {
        // vec0 accepts no other integer.
        const row = find.get(BigInt(key));
        return row === undefined ? undefined : toFloats(row.embedding as Uint8Array);
      },
      close: () => db.close(),
    };
  } catch (error) {
    db.close();
    throw error;
  }
}
