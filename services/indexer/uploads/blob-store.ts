import type { Breakers } from '#kit/breaker/breakers.ts';
import type { Database, Migrations } from '#kit/storage/database.ts';

/** A blob of a store, or one whose write has not ended. */
export interface StoredBlob {
  name: string;
  /** When it was last written, in milliseconds since 1970, by the clock of the store. */
  writtenAtMs: number;
}

/** Stores the bytes of uploads. A blob never changes. Names have letters, digits, `.` and `-` only. */
export interface BlobStore {
  /**
   * Stores a blob in constant memory. Once it resolves, the blob is whole and survives a kill; if it rejects, there is no blob. An error
   * that `bytes` throws comes back unchanged. Throws UNAVAILABLE if the store cannot take it.
   */
  write(name: string, bytes: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void>;
  /**
   * Returns at most `sizeBytes` bytes of a blob, fewer at its end only; `undefined` if there is no such blob. Throws UNAVAILABLE if the
   * store cannot be read.
   */
  read(name: string, offset: number, sizeBytes: number, signal: AbortSignal): Promise<Uint8Array | undefined>;
  /** Removes a blob and unfinished writes of it, if there are any. */
  remove(name: string): Promise<void>;
  /** Removes what removed blobs have left in files, or in tables of PostgreSQL. @default nothing is left */
  scrub?(): Promise<void>;
  /** Yields all blobs, and writes that have not ended. */
  list(signal: AbortSignal): AsyncIterable<StoredBlob>;
  close(): Promise<void>;
}

/** Dependencies of adapters. */
export interface BlobStoreDeps {
  /** Folder of the service for uploads; it need not exist. */
  folder: string;
  /** Opens durable records, for an adapter that keeps blobs there. */
  openDatabase<Schema>(name: string, migrations: Migrations): Promise<Database<Schema>>;
  /** Now, in milliseconds since 1970. */
  clock: () => number;
  /** For an adapter whose store is a server. */
  breakers: Breakers;
  /** Path of the adapter's name in the configuration, for errors. */
  path: string;
}
