import type { SQLInputValue } from 'node:sqlite';
import type { Row } from '#kit/storage/sqlite/protocol.ts';
import { oneOf } from '../sqlite/rows.ts';
import type { TenantFiles } from '../sqlite/tenant-files.ts';
import type { VectorSpace } from '../stores/vector-store.ts';
import { type DocumentRecord, removeStatements, replaceStatements } from './document-statements.ts';
import type { RecentPassages } from './recent-passages.ts';
import { inVersion, newRevision } from './versions.ts';

/** A document in a list. */
export interface ListedDocument {
  documentId: string;
  contentHash: Uint8Array;
  chunkCount: number;
  /** Whether both stores have it, in the version's space. */
  isComplete: boolean;
  /** Groups of its access list. */
  groups: readonly string[];
}

/** Selects a page of a version's documents. */
export interface DocumentPage {
  corpusId: number;
  version: number;
  /** Whether the page includes documents of earlier versions, each as the newest of these versions holds it. */
  withOlder: boolean;
  space: VectorSpace;
  /** Only documents with an id above this one. */
  after: string;
  /** Only these; `undefined`: all. */
  documentIds: readonly string[] | undefined;
  /** Only with these access lists; `undefined`: all. */
  aclIds: readonly number[] | undefined;
  limit: number;
}

/** The documents of the catalog. */
export interface DocumentCatalog {
  /** Writes documents into a version, in place of those with the same ids. They are incomplete until {@link confirm}. */
  replace(
    tenant: string,
    corpusId: number,
    version: number,
    space: VectorSpace,
    documents: readonly DocumentRecord[],
  ): Promise<void>;
  /** Records that both stores have the documents. */
  confirm(tenant: string, corpusId: number, version: number, documentIds: readonly string[]): Promise<void>;
  /** Takes documents out of a version. */
  remove(tenant: string, corpusId: number, version: number, documentIds: readonly string[]): Promise<void>;
  /** Returns how many of these documents a version holds. */
  countDocuments(tenant: string, corpusId: number, version: number, documentIds: readonly string[]): Promise<number>;
  /** Deletes documents from every version, records that the stores must follow, and makes a new revision. */
  beginPurge(tenant: string, corpusId: number, documentIds: readonly string[]): Promise<void>;
  /** Records that the stores have followed. */
  endPurge(tenant: string, corpusId: number, documentIds: readonly string[]): Promise<void>;
  /** Returns how many of these documents are in any version, and the keys of all their chunks. */
  findAnywhere(
    tenant: string,
    corpusId: number,
    documentIds: readonly string[],
  ): Promise<{ documentCount: number; keys: number[] }>;
  /** Returns a page of a version's documents in order of id. */
  list(tenant: string, page: DocumentPage, signal: AbortSignal): Promise<ListedDocument[]>;
}

const notAborted = new AbortController().signal;
const named = `corpus_id = ? AND ${oneOf('document_id')}`;
const newestUpTo = `added_in = (SELECT max(added_in) FROM document AS other WHERE other.corpus_id = document.corpus_id
  AND other.document_id = document.document_id AND other.added_in <= ?)`;

/** Creates the catalog of documents over the tenants' files. A purge removes the tenant's texts from `recent`. */
export function createDocumentCatalog(files: TenantFiles, recent: RecentPassages): DocumentCatalog {
  return {
    async replace(tenant, corpusId, version, space, documents) {
      await files.write(tenant, replaceStatements(corpusId, version, space, documents));
    },
    async confirm(tenant, corpusId, version, documentIds) {
      const sql = `UPDATE document SET complete = 1 WHERE ${named} AND added_in = ?`;
      await files.write(tenant, [{ sql, params: [corpusId, JSON.stringify(documentIds), version] }]);
    },
    async remove(tenant, corpusId, version, documentIds) {
      await files.write(tenant, removeStatements(corpusId, version, documentIds));
    },
    async countDocuments(tenant, corpusId, version, documentIds) {
      const sql = `SELECT count(*) AS count FROM document WHERE ${named} AND ${inVersion}`;
      const params = [corpusId, JSON.stringify(documentIds), version, version];
      const [row] = await files.read(tenant, { sql, params }, notAborted);
      return Number(row?.count ?? 0);
    },
    async beginPurge(tenant, corpusId, documentIds) {
      const params = [corpusId, JSON.stringify(documentIds)];
      await files.write(tenant, [
        { sql: 'INSERT OR IGNORE INTO purge SELECT ?, value FROM json_each(?)', params },
        { sql: `DELETE FROM chunk WHERE document IN (SELECT id FROM document WHERE ${named})`, params },
        { sql: `DELETE FROM document WHERE ${named}`, params },
        { sql: `DELETE FROM access_change WHERE ${named}`, params },
        ...newRevision(corpusId),
      ]);
      recent.forget(tenant);
    },
    async endPurge(tenant, corpusId, documentIds) {
      const sql = `DELETE FROM purge WHERE ${named}`;
      await files.write(tenant, [{ sql, params: [corpusId, JSON.stringify(documentIds)] }]);
    },
    async findAnywhere(tenant, corpusId, documentIds) {
      const params = [corpusId, JSON.stringify(documentIds)];
      const count = `SELECT count(DISTINCT document_id) AS count FROM document WHERE ${named}`;
      const keys = `SELECT id FROM chunk WHERE document IN (SELECT id FROM document WHERE ${named})`;
      const [documents, chunks] = await Promise.all([
        files.read(tenant, { sql: count, params }, notAborted),
        files.read(tenant, { sql: keys, params }, notAborted),
      ]);
      return { documentCount: Number(documents[0]?.count ?? 0), keys: chunks.map(({ id }) => id as number) };
    },
    async list(tenant, page, signal) {
      return (await files.read(tenant, listStatement(page), signal)).map(toListed);
    },
  };
}

function listStatement({ corpusId, version, withOlder, space, after, documentIds, aclIds, limit }: DocumentPage) {
  const conditions = [`corpus_id = ? AND document_id > ? AND ${withOlder ? newestUpTo : inVersion}`];
  const versions = withOlder ? [version] : [version, version];
  const params: SQLInputValue[] = [space.model, space.dimensions, corpusId, after, ...versions];
  if (documentIds !== undefined) {
    conditions.push(oneOf('document_id'));
    params.push(JSON.stringify(documentIds));
  }
  if (aclIds !== undefined) {
    conditions.push(oneOf('acl_id'));
    params.push(JSON.stringify(aclIds));
  }
  return {
    sql: `SELECT document_id, content_hash, chunk_count, complete AND model = ? AND dimensions = ? AS complete, acl.groups
      FROM document INDEXED BY document_id CROSS JOIN acl ON acl.id = document.acl_id
      WHERE ${conditions.join(' AND ')} ORDER BY document_id LIMIT ?`,
    params: [...params, limit],
  };
}

function toListed(row: Row): ListedDocument {
  return {
    documentId: row.document_id as string,
    contentHash: row.content_hash as Uint8Array,
    chunkCount: row.chunk_count as number,
    isComplete: row.complete === 1,
    groups: JSON.parse(row.groups as string) as string[],
  };
}
