import { join } from 'node:path';
import { createFromAdapter } from '#kit/host/config/adapters.ts';
import type { MoveDeps } from '#kit/host/define-service.ts';
import { openPostgresDatabase, schemaOf } from '#kit/storage/postgres/database.ts';
import { postgresMigrations } from '../catalog/engines/postgres-schema.ts';
import { sqliteMigrations } from '../catalog/engines/sqlite-schema.ts';
import type { RetrievalSettings } from '../config.ts';
import type { EmbeddedStoreDeps } from '../sqlite/embedded-store.ts';
import { createTenantFiles, type TenantFiles } from '../sqlite/tenant-files.ts';
import { createSqliteThreads, type SqliteThreads } from '../sqlite/threads.ts';
import type { KeywordStore } from '../stores/keyword-store.ts';
import type { VectorStore } from '../stores/vector-store.ts';
import { moveCorpus, openVectorFiles, type TargetStores } from './move-corpus.ts';

const vectorAdapters = new URL('../adapters/vector-store/', import.meta.url);
const keywordAdapters = new URL('../adapters/keyword-store/', import.meta.url);

const notAborted = new AbortController().signal;

/** Moves the index of every tenant: its catalog to PostgreSQL, and its vectors and words to the stores of the new configuration. */
export async function moveIndex(deps: MoveDeps<RetrievalSettings>): Promise<void> {
  const { config, folder, pool, once } = deps;
  const threads = createSqliteThreads(1);
  // In the order in which they close.
  const parts: { close(): Promise<void> }[] = [threads];
  try {
    const catalogs = createTenantFiles({
      ...{ folder: join(folder, 'catalog'), name: 'catalog', threads },
      migrations: sqliteMigrations,
    });
    parts.unshift(catalogs);
    const vectorFiles = openVectorFiles(join(folder, 'vectors'), threads);
    parts.unshift(vectorFiles);
    await openPostgresDatabase({ pool, schema: schemaOf('retrieval'), name: 'catalog' }, postgresMigrations);
    const stores = await openStores(config, folder, threads, deps);
    parts.unshift(stores.vectors, stores.keywords);
    for (const tenant of await catalogs.list()) {
      await moveCatalog(deps, catalogs, tenant);
      const corpora = await catalogs.read(tenant, { sql: 'SELECT id FROM corpus ORDER BY id', params: [] }, notAborted);
      for (const { id } of corpora) {
        const corpusId = Number(id);
        const source = { catalogs, vectorFiles, tenant, corpusId };
        await once(`index of ${tenant}, corpus ${corpusId}`, (onRows) => moveCorpus(source, stores, onRows));
      }
    }
  } finally {
    for (const part of parts) await part.close();
  }
}

/** Copies the tables of a tenant's catalog. */
async function moveCatalog({ copyTables }: MoveDeps<unknown>, catalogs: TenantFiles, tenant: string): Promise<void> {
  // A read brings an older file to the latest version.
  await catalogs.read(tenant, { sql: 'SELECT 1', params: [] }, notAborted);
  await copyTables({
    source: `retrieval/catalog/${tenant}`,
    path: catalogs.path(tenant),
    schema: schemaOf('retrieval'),
    nameOf: (table) => `catalog_${table}`,
    extra: { column: 'tenant', value: tenant },
    omitted: ['only'],
  });
}

async function openStores(
  { vectorStore, keywordStore }: RetrievalSettings,
  folder: string,
  threads: SqliteThreads,
  { pool }: MoveDeps<unknown>,
): Promise<TargetStores> {
  const given: EmbeddedStoreDeps = { folder, threads, postgres: pool };
  const vectors = await createFromAdapter<VectorStore, EmbeddedStoreDeps>(
    ...[vectorAdapters, vectorStore.adapter, vectorStore.settings, given, vectorStore.path],
  );
  const keywords = await createFromAdapter<KeywordStore, EmbeddedStoreDeps>(
    ...[keywordAdapters, keywordStore.adapter, keywordStore.settings, given, keywordStore.path],
  );
  return { vectors, keywords };
}
