import type { TermRecord } from '../index/terms.ts';
import type { TenantFiles } from '../sqlite/tenant-files.ts';

/** Schema of a tenant's terms: one row, or none. */
export const termsSchema = 'CREATE TABLE terms (only INTEGER PRIMARY KEY CHECK (only = 1), body TEXT NOT NULL);';

/** Terms of the catalog. */
export interface TermCatalog {
  /** Sets the tenant's terms, and makes a new revision of every corpus: the same question may have another answer. */
  put(tenant: string, terms: TermRecord): Promise<void>;
}

/** Terms in the catalogs' files. */
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
