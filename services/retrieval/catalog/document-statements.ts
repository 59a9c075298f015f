import type { Statement } from '#kit/storage/sqlite/protocol.ts';
import { oneOf } from '../sqlite/rows.ts';
import { forever } from '../stores/index-row.ts';
import type { VectorSpace } from '../stores/vector-store.ts';
import type { ChunkRecord } from './passage-record.ts';

/** A document with its chunks, as it is written. */
export interface DocumentRecord {
  key: number;
  documentId: string;
  title: string;
  url: string;
  aclId: number;
  /** Sorted groups of the access list. */
  groups: readonly string[];
  contentHash: Uint8Array;
  chunks: readonly ChunkRecord[];
}

/** Returns the statements that take documents out of a version. Older versions keep them. */
export function removeStatements(corpusId: number, version: number, documentIds: readonly string[]): Statement[] {
  const ids = JSON.stringify(documentIds);
  const written = `corpus_id = ? AND ${oneOf('document_id')} AND added_in = ?`;
  return [
    {
      sql: `DELETE FROM chunk WHERE document IN (SELECT id FROM document WHERE ${written})`,
      params: [corpusId, ids, version],
    },
    { sql: `DELETE FROM document WHERE ${written}`, params: [corpusId, ids, version] },
    {
      sql: `UPDATE document SET removed_in = ?
        WHERE corpus_id = ? AND ${oneOf('document_id')} AND removed_in = ${forever}`,
      params: [version, corpusId, ids],
    },
  ];
}

/** Returns the statements that write documents into a version, in place of those with the same ids. */
export function replaceStatements(
  corpusId: number,
  version: number,
  space: VectorSpace,
  documents: readonly DocumentRecord[],
): Statement[] {
  const documentIds = documents.map(({ documentId }) => documentId);
  return [
    ...removeStatements(corpusId, version, documentIds),
    ...accessListStatements(documents),
    ...documents.flatMap((document) => insertStatements(corpusId, version, space, document)),
  ];
}

// Writes every list of the batch, known or not: the number of a list is valid only if it is durable together with its documents.
function accessListStatements(documents: readonly DocumentRecord[]): Statement[] {
  const groups = new Map(documents.map((document) => [document.aclId, document.groups]));
  return [...groups].map(([aclId, names]) => ({
    sql: 'INSERT INTO acl VALUES (?, ?) ON CONFLICT DO NOTHING',
    params: [aclId, JSON.stringify(names)],
  }));
}

function insertStatements(
  corpusId: number,
  version: number,
  { model, dimensions }: VectorSpace,
  { key, documentId, title, url, aclId, groups, contentHash, chunks }: DocumentRecord,
): Statement[] {
  return [
    {
      // The number of a list with other groups gives NULL, and the transaction fails: access is never guessed.
      sql: `INSERT INTO document
        VALUES (?, ?, ?, ?, (SELECT id FROM acl WHERE id = ? AND groups = ?), ?, 0, ?, ?, ?, ?, ?, ?)`,
      params: [
        ...[key, corpusId, version, forever],
        ...[aclId, JSON.stringify(groups)],
        ...[chunks.length, dimensions, model, documentId, contentHash, title, url],
      ],
    },
    ...chunks.map((chunk) => insertChunk(key, chunk)),
  ];
}

function insertChunk(documentKey: number, chunk: ChunkRecord): Statement {
  const { key, ordinal, language, startOffset, endOffset, chunkId, headingPath, text } = chunk;
  return {
    sql: 'INSERT INTO chunk VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
    params: [key, documentKey, ordinal, language, startOffset, endOffset, chunkId, JSON.stringify(headingPath), text],
  };
}
