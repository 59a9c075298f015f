import { forever } from '../stores/index-row.ts';
import type { VectorSpace } from '../stores/vector-store.ts';
import { type CatalogStatement, insertRows, oneOf, remove, rows, type Sql, sql, update } from './engines/sql.ts';
import type { ChunkRecord } from './passage-record.ts';

/** A document with its chunks, as it is written. */
export interface DocumentRecord {
  key: number;
  documentId: string;
  title: string;
  url: string;
  /** When the document was last updated, as it says itself, in milliseconds since 1970. */
  updatedMs?: number | undefined;
  /** Time in which it may be found, in milliseconds since 1970: from the first, before the second; `undefined`: without a bound. */
  validFromMs?: number | undefined;
  validUntilMs?: number | undefined;
  aclId: number;
  contentHash: Uint8Array;
  chunks: readonly ChunkRecord[];
}

/** Returns the statements that take documents out of a version. Older versions keep them. */
export function removeStatements(corpusId: number, version: number, documentIds: readonly string[]): Sql[] {
  const named = sql`corpus_id = ${corpusId} AND ${oneOf('document_id', documentIds)}`;
  const written = sql`${named} AND added_in = ${version}`;
  return [
    remove('chunk', sql`document IN (SELECT id FROM ${rows('document')} WHERE ${written})`),
    remove('document', written),
    // The sum is for SQLite, which would otherwise read all documents of the newest version to find the named ones.
    update('document', sql`removed_in = ${version}`, sql`${named} AND removed_in + 0 = ${forever}`),
  ];
}

/** Returns the statements that write documents into a version, in place of those with the same ids. */
export function replaceStatements(
  corpusId: number,
  version: number,
  { model, dimensions }: VectorSpace,
  documents: readonly DocumentRecord[],
): CatalogStatement[] {
  const documentIds = documents.map(({ documentId }) => documentId);
  return [
    ...removeStatements(corpusId, version, documentIds),
    insertRows(
      'document',
      documentColumns,
      documents.map(
        ({ key, documentId, title, url, updatedMs, validFromMs, validUntilMs, aclId, contentHash, chunks }) => [
          ...[key, corpusId, version, forever, aclId, chunks.length, 0],
          ...[dimensions, model, documentId, contentHash, title, url],
          ...[updatedMs ?? null, validFromMs ?? null, validUntilMs ?? null],
        ],
      ),
    ),
    insertRows(
      'chunk',
      chunkColumns,
      documents.flatMap(({ key: document, chunks }) =>
        chunks.map(
          ({ key, ordinal, language, startOffset, endOffset, chunkId, headingPath, regions, text, boost, context }) => [
            ...[key, document, ordinal, language, startOffset, endOffset],
            ...[chunkId, JSON.stringify(headingPath), regions === undefined ? null : JSON.stringify(regions), text],
            ...[boost ?? null, context ?? null],
          ],
        ),
      ),
    ),
  ];
}

const documentColumns = [
  ...['id', 'corpus_id', 'added_in', 'removed_in', 'acl_id', 'chunk_count', 'complete'],
  ...['dimensions', 'model', 'document_id', 'content_hash', 'title', 'url'],
  ...['updated_ms', 'valid_from_ms', 'valid_until_ms'],
];
const chunkColumns = [
  ...['id', 'document', 'ordinal', 'language', 'start_offset', 'end_offset'],
  ...['chunk_id', 'heading_path', 'regions', 'text', 'boost', 'context'],
];
