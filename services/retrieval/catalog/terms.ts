import type { TenantFiles } from '../sqlite/tenant-files.ts';

/** A tenant's terms, as PutTerms sets them. */
export interface TermRecord {
  /** Groups of words with the same meaning. */
  groups: readonly (readonly string[])[];
  /** Names that count as one word. */
  protectedTerms: readonly string[];
}

/** The schema of a tenant's terms: one row, or none. */
export const termsSchema = 'CREATE TABLE terms (only INTEGER PRIMARY KEY CHECK (only = 1), body TEXT NOT NULL);';

/** The tenants' terms. */
export interface TermCatalog {
  /** Sets the tenant's terms and makes a new revision of every corpus, because the same question may have another answer. */
  put(tenant: string, terms: TermRecord): Promise<void>;
}

/** Creates the catalog of terms over the tenants' files. `newEpoch` returns the epoch of a new catalog. */
export function createTermCatalog(files: TenantFiles, newEpoch: () => string): TermCatalog {
  return {
    async put(tenant, { groups, protectedTerms }) {
      await files.write(tenant, [
        { sql: 'INSERT INTO tenant SELECT ?, 0 WHERE NOT EXISTS (SELECT 1 FROM tenant)', params: [newEpoch()] },
        { sql: 'INSERT OR REPLACE INTO terms VALUES (1, ?)', params: [JSON.stringify({ groups, protectedTerms })] },
        { sql: 'UPDATE tenant SET revision = revision + 1', params: [] },
        { sql: 'UPDATE corpus SET revision = (SELECT revision FROM tenant)', params: [] },
      ]);
    },
  };
}
