import { createTestBreakers } from '#kit/testing/breakers.ts';
import type { BlobStoreDeps } from '../uploads/blob-store.ts';

/** Returns the dependencies of a store that has no database. */
export function blobStoreDeps(folder: string): BlobStoreDeps {
  const openDatabase = () => Promise.reject(new Error('this test has no database'));
  return { folder, openDatabase, clock: Date.now, breakers: createTestBreakers(), path: 'indexer.blob_store' };
}
