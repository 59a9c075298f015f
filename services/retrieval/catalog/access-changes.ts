import { forever } from '../stores/index-row.ts';
import { indexedBy, insertFrom, joined, keyOf, oneOf, remove, rows, type Sql, sql, update } from './engines/sql.ts';
import type { CatalogTables } from './engines/tables.ts';

// An access list belongs to a document, not to one of its versions. The newest published list applies to every version of the
// document, so a rollback cannot open a document that was closed since.

/** A change that the stores must still apply: documents get the access list `aclId` in all versions up to `version`. */
export interface AccessChange {
  corpusId: number;
  version: number;
  aclId: number;
  documentIds: readonly string[];
}

/** The access lists that have changed in the catalog and not yet in the stores. */
export interface AccessChangeCatalog {
  /** Returns some of the changes that the stores have not applied; an empty list if they have applied all. */
  list(tenant: string): Promise<AccessChange[]>;
  /** Records that the stores have applied the change. */
  end(tenant: string, change: AccessChange): Promise<void>;
}

/** Most documents in one list of changes. */
const maxListed = 5000;

const notAborted = new AbortController().signal;

/**
 * Returns the statements that give the access lists of a version's own documents to older versions of them, and record
 * what the stores must apply.
 */
export function spreadAccess(corpusId: number, version: number): Sql[] {
  return [
    insertFrom(
      'access_change',
      ['corpus_id', 'document_id', 'acl_id', 'version'],
      sql`SELECT DISTINCT newest.corpus_id, newest.document_id, newest.acl_id, newest.added_in
        FROM ${rows('document', 'newest')}${indexedBy('document_version')} ${joined} ${rows('document', 'older')} ON older.corpus_id = newest.corpus_id
          AND older.document_id = newest.document_id AND older.added_in < newest.added_in
          AND older.acl_id <> newest.acl_id
        WHERE newest.corpus_id = ${corpusId} AND newest.removed_in = ${forever} AND newest.added_in = ${version}`,
      sql`ON CONFLICT ${keyOf('corpus_id', 'document_id')}
        DO UPDATE SET acl_id = excluded.acl_id, version = excluded.version`,
    ),
    update(
      'document',
      sql`acl_id = (
          SELECT change.acl_id FROM ${rows('access_change', 'change')}
          WHERE change.corpus_id = document.corpus_id AND change.document_id = document.document_id
        )`,
      sql`corpus_id = ${corpusId} AND added_in < ${version} AND document_id IN (
          SELECT document_id FROM ${rows('access_change')} WHERE corpus_id = ${corpusId} AND version = ${version}
        )`,
    ),
  ];
}

/** Creates the catalog of access changes. */
export function createAccessChangeCatalog(tables: CatalogTables): AccessChangeCatalog {
  return {
    async list(tenant) {
      const found = await tables.read(
        tenant,
        sql`SELECT corpus_id, version, acl_id, document_id FROM ${rows('access_change')} LIMIT ${maxListed}`,
        notAborted,
      );
      const changes = Map.groupBy(found, ({ corpus_id, version, acl_id }) => `${corpus_id} ${version} ${acl_id}`);
      return [...changes.values()].map((documents) => ({
        corpusId: documents[0]?.corpus_id as number,
        version: documents[0]?.version as number,
        aclId: documents[0]?.acl_id as number,
        documentIds: documents.map(({ document_id }) => document_id as string),
      }));
    },
    async end(tenant, { corpusId, version, aclId, documentIds }) {
      const ended = sql`corpus_id = ${corpusId} AND version = ${version} AND acl_id = ${aclId}`;
      await tables.write(tenant, [remove('access_change', sql`${ended} AND ${oneOf('document_id', documentIds)}`)]);
    },
  };
}
