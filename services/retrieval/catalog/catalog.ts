import { createTenantFiles } from '../sqlite/tenant-files.ts';
import type { SqliteThreads } from '../sqlite/threads.ts';
import { type AccessChangeCatalog, accessChangeSchema, createAccessChangeCatalog } from './access-changes.ts';
import { createDocumentCatalog, type DocumentCatalog } from './documents.ts';
import { createPassageCatalog, type PassageCatalog } from './passages.ts';
import { createRecentPassages } from './recent-passages.ts';
import { catalogSchema } from './schema.ts';
import { createTermCatalog, type TermCatalog, termsSchema } from './terms.ts';
import { createVersionContents, type VersionContents } from './version-contents.ts';
import { createVersionCatalog, type VersionCatalog } from './versions.ts';

/**
 * The durable record of each tenant's index: corpora and their versions, documents with access lists, and the text of passages.
 * If a store differs from the catalog, the catalog is right. Every change is one transaction.
 */
export interface Catalog {
  /** Returns whether the tenant has ever had a corpus. */
  has(tenant: string): boolean;
  versions: VersionCatalog;
  contents: VersionContents;
  documents: DocumentCatalog;
  passages: PassageCatalog;
  terms: TermCatalog;
  accessChanges: AccessChangeCatalog;
  close(): Promise<void>;
}

/** Memory for texts of passages that were read recently, of all tenants together. */
const maxRecentBytes = 64 * 1024 * 1024;

/** Opens the catalogs in a folder. `random` returns a number from 0 up to 1. */
export function createCatalog(folder: string, threads: SqliteThreads, random: () => number): Catalog {
  const migrations = [catalogSchema, termsSchema, accessChangeSchema];
  const files = createTenantFiles({ folder, name: 'catalog', threads, migrations });
  const recent = createRecentPassages(maxRecentBytes);
  // Distinguishes this catalog from an earlier one of the same tenant.
  const newEpoch = () =>
    Math.floor(random() * 2 ** 32)
      .toString(16)
      .padStart(8, '0');
  return {
    has: (tenant) => files.has(tenant),
    versions: createVersionCatalog(files, newEpoch),
    contents: createVersionContents(files),
    documents: createDocumentCatalog(files, recent),
    passages: createPassageCatalog(files, recent),
    terms: createTermCatalog(files, newEpoch),
    accessChanges: createAccessChangeCatalog(files),
    close: () => files.close(),
  };
}
