import { type AccessChangeCatalog, createAccessChangeCatalog } from './access-changes.ts';
import { createDocumentCatalog, type DocumentCatalog } from './documents.ts';
import type { CatalogChanges, CatalogEngine } from './engines/tables.ts';
import { createNumberCatalog, type NumberCatalog } from './numbers.ts';
import { createPassageCatalog, type PassageCatalog } from './passages.ts';
import { createRecentPassages } from './recent-passages.ts';
import { createTermCatalog, type TermCatalog } from './terms.ts';
import { createTrialCatalog, type TrialCatalog } from './trials.ts';
import { createVersionContents, type VersionContents } from './version-contents.ts';
import { createVersionCatalog, type VersionCatalog } from './versions.ts';

/**
 * The durable record of each tenant's index: corpora and their versions, documents with access lists, and the text of passages.
 * If a store differs from the catalog, the catalog is right. Every change is one transaction.
 */
export interface Catalog {
  changes: CatalogChanges;
  numbers: NumberCatalog;
  versions: VersionCatalog;
  contents: VersionContents;
  documents: DocumentCatalog;
  passages: PassageCatalog;
  terms: TermCatalog;
  trials: TrialCatalog;
  accessChanges: AccessChangeCatalog;
  /** Removes what deleted rows of the tenant have left in files, or in tables of PostgreSQL (VACUUM). */
  scrub(tenant: string): Promise<void>;
  close(): Promise<void>;
}

/** Memory for texts of passages that were read recently, of all tenants together. */
const maxRecentBytes = 64 * 1024 * 1024;

/** Creates the catalog over an engine, which it closes. `random` returns a number from 0 up to 1. */
export function createCatalog({ tables, changes, close }: CatalogEngine, random: () => number): Catalog {
  const recent = createRecentPassages(maxRecentBytes);
  // Distinguishes this catalog from an earlier one of the same tenant.
  const newEpoch = () =>
    Math.floor(random() * 2 ** 32)
      .toString(16)
      .padStart(8, '0');
  return {
    changes,
    numbers: createNumberCatalog(tables),
    versions: createVersionCatalog(tables, newEpoch),
    contents: createVersionContents(tables),
    documents: createDocumentCatalog(tables, recent),
    passages: createPassageCatalog(tables, recent),
    terms: createTermCatalog(tables, newEpoch),
    trials: createTrialCatalog(tables),
    accessChanges: createAccessChangeCatalog(tables),
    scrub: (tenant) => tables.scrub(tenant),
    close,
  };
}
