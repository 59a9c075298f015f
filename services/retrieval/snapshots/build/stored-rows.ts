import type { IndexRow } from '../../stores/index-row.ts';

// The rows of the embedded stores as SQLite returns them.

/** A row of the table of chunks. */
export type ChunkRow = {
  id: number;
  acl_id: number;
  added_in: number;
  removed_in: number;
  language: number;
  updated_ms: number | null;
  document_id: string;
  chunk_id: string;
};

/** Returns a row of the table of chunks with its attributes as a row of the index. */
export function toIndexRow(row: ChunkRow, attributes: IndexRow['attributes']): IndexRow {
  return {
    key: row.id,
    chunkId: row.chunk_id,
    documentId: row.document_id,
    aclId: row.acl_id,
    language: row.language,
    updatedMs: row.updated_ms ?? undefined,
    attributes,
  };
}

/** Returns the bytes of a vector as numbers. They may begin at an address that is no multiple of four. */
export function toFloats(bytes: Uint8Array): Float32Array {
  return bytes.byteOffset % 4 === 0
    ? new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
    : new Float32Array(bytes.slice().buffer);
}
