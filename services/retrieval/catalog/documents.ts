import type { VectorSpace } from '../stores/vector-store.ts';
import { type DocumentRecord, removeStatements, replaceStatements } from './document-statements.ts';
import { indexedBy, insertRows, joined, oneOf, remove, rows, type Sql, sql, update } from './engines/sql.ts';
import type { CatalogRow, CatalogTables } from './engines/tables.ts';
import type { RecentPassages } from './recent-passages.ts';
import { inVersion, newRevision, newState } from './states.ts';

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
  /** Returns how many of these documents are in any version, and how many chunks they have. */
  findAnywhere(
    tenant: string,
    corpusId: number,
    documentIds: readonly string[],
  ): Promise<{ documentCount: number; chunkCount: number }>;
  /** Returns a page of a version's documents in order of id. */
  list(tenant: string, page: DocumentPage, signal: AbortSignal): Promise<ListedDocument[]>;
}

const notAborted = new AbortController().signal;

/** Creates the catalog of documents. A purge removes the texts of its documents from `recent`. */
export function createDocumentCatalog(tables: CatalogTables, recent: RecentPassages): DocumentCatalog {
  const named = (corpusId: number, documentIds: readonly string[]) =>
    sql`corpus_id = ${corpusId} AND ${oneOf('document_id', documentIds)}`;
  const chunksOf = (documents: Sql) => sql`document IN (SELECT id FROM ${rows('document')} WHERE ${documents})`;
  return {
    async replace(tenant, corpusId, version, space, documents) {
      await tables.write(tenant, replaceStatements(corpusId, version, space, documents));
    },
    async confirm(tenant, corpusId, version, documentIds) {
      const written = sql`${named(corpusId, documentIds)} AND added_in = ${version}`;
      await tables.write(tenant, [update('document', sql`complete = 1`, written)]);
    },
    async remove(tenant, corpusId, version, documentIds) {
      await tables.write(tenant, removeStatements(corpusId, version, documentIds));
    },
    async countDocuments(tenant, corpusId, version, documentIds) {
      const query = sql`SELECT count(*) AS count FROM ${rows('document')}${indexedBy('document_id')}
        WHERE ${named(corpusId, documentIds)} AND ${inVersion(version)}`;
      const [row] = await tables.read(tenant, query, notAborted);
      return Number(row?.count ?? 0);
    },
    async beginPurge(tenant, corpusId, documentIds) {
      const documents = named(corpusId, documentIds);
      const purges = documentIds.map((documentId) => [corpusId, documentId]);
      await tables.write(tenant, [
        insertRows('purge', ['corpus_id', 'document_id'], purges, true),
        remove('chunk', chunksOf(documents)),
        remove('document', documents),
        remove('access_change', documents),
        update('tenant', sql`purge_count = purge_count + 1`),
        ...newRevision(corpusId),
      ]);
      recent.forget(tenant, corpusId, documentIds);
    },
    async endPurge(tenant, corpusId, documentIds) {
      await tables.write(tenant, [remove('purge', named(corpusId, documentIds)), newState()]);
      // Again, for texts that were read before the purge and kept after it.
      recent.forget(tenant, corpusId, documentIds);
    },
    async findAnywhere(tenant, corpusId, documentIds) {
      const documents = named(corpusId, documentIds);
      const query = sql`SELECT
        (SELECT count(DISTINCT document_id) FROM ${rows('document')} WHERE ${documents}) AS documents,
        (SELECT count(*) FROM ${rows('chunk')} WHERE ${chunksOf(documents)}) AS chunks`;
      const [found] = await tables.read(tenant, query, notAborted);
      return { documentCount: Number(found?.documents ?? 0), chunkCount: Number(found?.chunks ?? 0) };
    },
    async list(tenant, page, signal) {
      return (await tables.read(tenant, listQuery(page), signal)).map(toListed);
    },
  };
}

function listQuery({ corpusId, version, withOlder, space, after, documentIds, aclIds, limit }: DocumentPage): Sql {
  const versions = withOlder
    ? sql`added_in = (SELECT max(other.added_in) FROM ${rows('document', 'other')}
        WHERE other.corpus_id = document.corpus_id AND other.document_id = document.document_id
          AND other.added_in <= ${version})`
    : inVersion(version);
  return sql`SELECT document_id, content_hash, chunk_count,
      CASE WHEN complete = 1 AND model = ${space.model} AND dimensions = ${space.dimensions} THEN 1 ELSE 0 END AS is_complete,
      acl.groups
    FROM ${rows('document')}${indexedBy('document_id')} ${joined} ${rows('acl')} ON acl.id = document.acl_id
    WHERE corpus_id = ${corpusId} AND document_id > ${after} AND ${versions}
      ${documentIds === undefined ? sql`` : sql`AND ${oneOf('document_id', documentIds)}`}
      ${aclIds === undefined ? sql`` : sql`AND ${oneOf('acl_id', aclIds)}`}
    ORDER BY document_id LIMIT ${limit}`;
}

function toListed(row: CatalogRow): ListedDocument {
  return {
    documentId: row.document_id as string,
    contentHash: row.content_hash as Uint8Array,
    chunkCount: row.chunk_count as number,
    isComplete: row.is_complete === 1,
    groups: JSON.parse(row.groups as string) as string[],
  };
}
