import { createDocumentCatalog, type DocumentCatalog } from './catalog-documents.ts';
import { catalogSchema } from './catalog-schema.ts';
import { createVersionCatalog, type VersionCatalog } from './catalog-versions.ts';
import type { SqliteThreads } from './sqlite-threads.ts';
import { createTenantFiles } from './tenant-files.ts';

/**
 * What an index holds, by tenant: corpora and their versions, documents with access lists, and the text of passages. A
 * durable record, and the truth where a store differs. Every change is one transaction.
 */
export interface Catalog {
  /** Whether the tenant has ever had a corpus. */
  has(tenant: string): boolean;
  versions: VersionCatalog;
  documents: DocumentCatalog;
  close(): Promise<void>;
}

/** Opens the catalogs in a folder. `random`: from 0 up to 1. */
export function createCatalog(folder: string, threads: SqliteThreads, random: () => number): Catalog {
  const files = createTenantFiles({ folder, name: 'catalog', threads, migrations: [catalogSchema] });
  return {
    has: (tenant) => files.has(tenant),
    versions: createVersionCatalog(files, random),
    documents: createDocumentCatalog(files),
    close: () => files.close(),
  };
}
