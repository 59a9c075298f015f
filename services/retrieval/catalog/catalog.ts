import { createTenantFiles } from '../sqlite/tenant-files.ts';
import type { SqliteThreads } from '../sqlite/threads.ts';
import { type AccessCatalog, accessSchema, createAccessCatalog } from './access.ts';
import { createDocumentCatalog, type DocumentCatalog } from './documents.ts';
import { createPathCatalog, type PathCatalog } from './paths.ts';
import { catalogSchema } from './schema.ts';
import { createTermCatalog, type TermCatalog, termsSchema } from './terms.ts';
import { createVersionCatalog, type VersionCatalog } from './versions.ts';

/**
 * What an index holds, by tenant: corpora and their versions, documents with access lists, and the text of passages. A
 * durable record, and the truth where a store differs. Every change is one transaction.
 */
export interface Catalog {
  /** Whether the tenant has ever had a corpus. */
  has(tenant: string): boolean;
  versions: VersionCatalog;
  documents: DocumentCatalog;
  paths: PathCatalog;
  terms: TermCatalog;
  access: AccessCatalog;
  close(): Promise<void>;
}

/** Opens the catalogs in a folder. `random`: from 0 up to 1. */
export function createCatalog(folder: string, threads: SqliteThreads, random: () => number): Catalog {
  const migrations = [catalogSchema, termsSchema, accessSchema];
  const files = createTenantFiles({ folder, name: 'catalog', threads, migrations });
  // Tells this catalog from one that was here before.
  const newEpoch = () =>
    Math.floor(random() * 2 ** 32)
      .toString(16)
      .padStart(8, '0');
  return {
    has: (tenant) => files.has(tenant),
    versions: createVersionCatalog(files, newEpoch),
    documents: createDocumentCatalog(files),
    paths: createPathCatalog(files),
    terms: createTermCatalog(files, newEpoch),
    access: createAccessCatalog(files),
    close: () => files.close(),
  };
}
