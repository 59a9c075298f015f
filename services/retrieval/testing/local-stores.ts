import { join } from 'node:path';
import { create, type DescMethod, type DescService } from '@bufbuild/protobuf';
import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { ConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { EmbeddingService } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { RerankService } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { IndexAdminService } from '#gen/ragmesh/retrieval/v1/index_admin_pb.ts';
import { IndexWriterService } from '#gen/ragmesh/retrieval/v1/index_writer_pb.ts';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { createLogger } from '#kit/base/log.ts';
import { createMetrics } from '#kit/base/metrics/metrics.ts';
import { randomId } from '#kit/base/random-id.ts';
import { toVector } from '#kit/base/vectors.ts';
import { createClient } from '#kit/rpc/client.ts';
import { createInvocable, type Interceptor, type Invocable } from '#kit/rpc/invoke.ts';
import { createLocalTransport } from '#kit/rpc/local/mount.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { adapter as keywordAdapter } from '../adapters/keyword-store/sqlite/index.ts';
import { adapter as vectorAdapter } from '../adapters/vector-store/sqlite/index.ts';
import { createCatalog } from '../catalog/catalog.ts';
import { createSqliteEngine } from '../catalog/engines/sqlite.ts';
import type { CatalogEngine } from '../catalog/engines/tables.ts';
import { readConfig } from '../config.ts';
import { createRetrievalMetrics } from '../metrics.ts';
import { createRetrieval } from '../service.ts';
import type { SqliteThreads } from '../sqlite/threads.ts';
import {
  createRetrievalClient,
  createShortcuts,
  embedText,
  type RetrievalClient,
  type Shortcuts,
  type Stores,
} from './retrieval.ts';

/** The service without a process, which a test can open and close a hundred times. All callers are the same principal. */
export interface LocalRetrieval extends Shortcuts {
  client: RetrievalClient;
  /** Closes the files; the threads stay open. */
  close(): Promise<void>;
}

/** How a test opens the service. */
export interface OpenOptions {
  keptVersions?: number;
  /** Comes between the service and its stores. */
  wrap?: (stores: Stores) => Stores;
  /** What keeps the catalog. @default files in the folder */
  engine?: CatalogEngine;
  /** Stores that another replica has opened. @default those of the folder */
  stores?: Stores;
}

/** Opens the service for a suite, with a catalog of some engine. */
export type OpenRetrieval = (
  dataDir: string,
  threads: SqliteThreads,
  options?: Omit<OpenOptions, 'engine'>,
) => Promise<LocalRetrieval>;

/** Opens the embedded stores of a folder. */
export async function openStores(dataDir: string, threads: SqliteThreads): Promise<Stores> {
  const store = (name: string) => ({ folder: join(dataDir, name), threads });
  return {
    vectors: await vectorAdapter.create({}, store('vectors')),
    keywords: await keywordAdapter.create({}, store('keywords')),
  };
}

/** Opens the service over a folder. */
export async function openRetrieval(
  dataDir: string,
  threads: SqliteThreads,
  options: OpenOptions = {},
): Promise<LocalRetrieval> {
  const stores = options.stores ?? (await openStores(dataDir, threads));
  const engine = options.engine ?? createSqliteEngine(join(dataDir, 'catalog'), threads);
  const catalog = createCatalog(engine, Math.random);
  const methods = new Map<DescMethod, Invocable>();
  const transport = createLocalTransport(methods);
  const { keptVersions } = options;
  const retrieving = createRetrieval({
    ...(options.wrap?.(stores) ?? stores),
    catalog,
    embedding: createClient(EmbeddingService, transport),
    reranker: createClient(RerankService, transport),
    settings: readConfig(create(ConfigSchema, { retrieval: { ...(keptVersions !== undefined && { keptVersions }) } })),
    log: createLogger('silent'),
    metrics: createRetrievalMetrics(createMetrics()),
    clock: Date.now,
    random: Math.random,
    audit: () => createClient(AuditService, transport),
    newId: () => randomId(Math.random),
  });
  const mount = (contract: DescService, impl: object) => {
    for (const method of contract.methods) {
      const handler = (impl as Record<string, unknown>)[method.localName];
      methods.set(method, createInvocable(method, handler, [asEverybody]));
    }
  };
  for (const contract of [RetrievalService, IndexAdminService, IndexWriterService]) mount(contract, retrieving.impl);
  mount(EmbeddingService, {
    async *embed({ inputs }: { inputs: string[] }) {
      yield { vectors: inputs.map((text) => toVector(embedText(text))) };
    },
  });
  mount(RerankService, {
    async *rerank({ candidates }: { candidates: { prior?: number }[] }) {
      const passages = candidates.map(({ prior = 0 }, index) => ({ index, score: prior }));
      yield { event: { case: 'scored', value: { passages } } };
    },
  });
  const client = createRetrievalClient((contract) => createClient(contract, transport));
  return {
    ...createShortcuts(client, {}),
    client,
    async close() {
      await retrieving.close();
      await catalog.close();
      if (options.stores === undefined) for (const store of [stores.keywords, stores.vectors]) await store.close();
    },
  };
}

const asEverybody: Interceptor = (next) => (call) => {
  call.identify(testPrincipal(), 'Bearer test');
  return next(call);
};
