import { insertRows, plain, remove, rows, sql, update } from './engines/sql.ts';
import type { CatalogTables } from './engines/tables.ts';
import { newState, newTenant } from './states.ts';

/** A tenant's terms, as PutTerms sets them. */
export interface TermRecord {
  /** Groups of words with the same meaning. */
  groups: readonly (readonly string[])[];
  /** Names that count as one word. */
  protectedTerms: readonly string[];
}

/** The tenants' terms. */
export interface TermCatalog {
  /** Sets the tenant's terms and makes a new revision of every corpus, because the same question may have another answer. */
  put(tenant: string, terms: TermRecord): Promise<void>;
}

/** Creates the catalog of terms. `newEpoch` returns the epoch of a new catalog. */
export function createTermCatalog(tables: CatalogTables, newEpoch: () => string): TermCatalog {
  return {
    async put(tenant, { groups, protectedTerms }) {
      await tables.write(tenant, [
        newTenant(newEpoch()),
        remove('terms', plain('1 = 1')),
        insertRows('terms', ['body'], [[JSON.stringify({ groups, protectedTerms })]]),
        newState(sql`, revision = revision + 1`),
        update('corpus', sql`revision = (SELECT revision FROM ${rows('tenant')})`),
      ]);
    },
  };
}
