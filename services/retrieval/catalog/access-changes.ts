import type { Statement } from '#kit/storage/sqlite/protocol.ts';
import { oneOf } from '../sqlite/rows.ts';
import type { TenantFiles } from '../sqlite/tenant-files.ts';
import { forever } from '../stores/index-row.ts';

// An access list belongs to a document, not to one of its versions. The newest published list applies to every version of the
// document, so a rollback cannot open a document that was closed since.

/**
 * The schema of the documents whose access list has changed in the catalog while their rows in the stores still have the old one.
 * The statements after the table bring catalogs of earlier releases to the same state.
 */
export const accessChangeSchema = `
CREATE TABLE access_change (
  corpus_id INTEGER NOT NULL,
  document_id TEXT NOT NULL,
  acl_id INTEGER NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (corpus_id, document_id)
) WITHOUT ROWID;
INSERT INTO access_change
  SELECT DISTINCT newest.corpus_id, newest.document_id, newest.acl_id, newest.added_in
  FROM document AS newest CROSS JOIN document AS older ON older.corpus_id = newest.corpus_id
    AND older.document_id = newest.document_id AND older.added_in < newest.added_in AND older.acl_id <> newest.acl_id
  WHERE newest.added_in = (
    SELECT max(published.added_in) FROM document AS published
    WHERE published.corpus_id = newest.corpus_id AND published.document_id = newest.document_id
      AND published.added_in <= (
        SELECT max(version) FROM version WHERE corpus_id = newest.corpus_id AND published_ms IS NOT NULL
      )
  );
UPDATE document SET acl_id = (
    SELECT acl_id FROM access_change AS change
    WHERE change.corpus_id = document.corpus_id AND change.document_id = document.document_id
  )
  WHERE EXISTS (
    SELECT 1 FROM access_change AS change WHERE change.corpus_id = document.corpus_id
      AND change.document_id = document.document_id AND document.added_in < change.version
  );
UPDATE tenant SET revision = revision + 1 WHERE EXISTS (SELECT 1 FROM access_change);
UPDATE corpus SET revision = (SELECT revision FROM tenant) WHERE id IN (SELECT corpus_id FROM access_change);
`;

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
export function spreadAccess(corpusId: number, version: number): Statement[] {
  return [
    {
      sql: `INSERT OR REPLACE INTO access_change
        SELECT DISTINCT newest.corpus_id, newest.document_id, newest.acl_id, newest.added_in
        FROM document AS newest CROSS JOIN document AS older ON older.corpus_id = newest.corpus_id
          AND older.document_id = newest.document_id AND older.added_in < newest.added_in
          AND older.acl_id <> newest.acl_id
        WHERE newest.corpus_id = ? AND newest.removed_in = ${forever} AND newest.added_in = ?`,
      params: [corpusId, version],
    },
    {
      sql: `UPDATE document SET acl_id = (
          SELECT acl_id FROM access_change AS change
          WHERE change.corpus_id = document.corpus_id AND change.document_id = document.document_id
        )
        WHERE corpus_id = ? AND added_in < ?
          AND document_id IN (SELECT document_id FROM access_change WHERE corpus_id = ? AND version = ?)`,
      params: [corpusId, version, corpusId, version],
    },
  ];
}

/** Creates the catalog of access changes over the tenants' files. */
export function createAccessChangeCatalog(files: TenantFiles): AccessChangeCatalog {
  return {
    async list(tenant) {
      const sql = `SELECT corpus_id, version, acl_id, json_group_array(document_id) AS ids
        FROM (SELECT * FROM access_change LIMIT ?) GROUP BY corpus_id, version, acl_id`;
      const rows = await files.read(tenant, { sql, params: [maxListed] }, notAborted);
      return rows.map((row) => ({
        corpusId: row.corpus_id as number,
        version: row.version as number,
        aclId: row.acl_id as number,
        documentIds: JSON.parse(row.ids as string) as string[],
      }));
    },
    async end(tenant, { corpusId, version, aclId, documentIds }) {
      const sql = `DELETE FROM access_change
        WHERE corpus_id = ? AND version = ? AND acl_id = ? AND ${oneOf('document_id')}`;
      await files.write(tenant, [{ sql, params: [corpusId, version, aclId, JSON.stringify(documentIds)] }]);
    },
  };
}
