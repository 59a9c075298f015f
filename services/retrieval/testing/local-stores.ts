import { join } from 'node:path';
import { create, type DescMethod, type DescService } from '@bufbuild/protobuf';
import { ConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { EmbeddingService } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { RerankService } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { IndexAdminService } from '#gen/ragmesh/retrieval/v1/index_admin_pb.ts';
import { IndexWriterService } from '#gen/ragmesh/retrieval/v1/index_writer_pb.ts';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { createLogger } from '#kit/base/log.ts';
import { createMetrics } from '#kit/base/metrics.ts';
import { toVector } from '#kit/base/vectors.ts';
import { createClient } from '#kit/rpc/client.ts';
import { createInvocable, type Interceptor, type Invocable } from '#kit/rpc/invoke.ts';
import { createLocalTransport } from '#kit/rpc/local/mount.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { adapter as keywordAdapter } from '../adapters/keyword-store/sqlite/index.ts';
import { adapter as vectorAdapter } from '../adapters/vector-store/sqlite/index.ts';
import { createCatalog } from '../catalog/catalog.ts';
import { createSqliteEngine } from '../catalog/engines/sqlite.ts';
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

const metrics = createRetrievalMetrics(createMetrics());

/** Opens the service over a folder, with `wrap` between it and its stores. */
export async function openRetrieval(
  dataDir: string,
  threads: SqliteThreads,
  options: { keptVersions?: number; wrap?: (stores: Stores) => Stores } = {},
): Promise<LocalRetrieval> {
  const store = (name: string) => ({ folder: join(dataDir, name), threads });
  const stores = {
    vectors: await vectorAdapter.create({}, store('vectors')),
    keywords: await keywordAdapter.create({}, store('keywords')),
  };
  const catalog = createCatalog(createSqliteEngine(join(dataDir, 'catalog'), threads), Math.random);
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
    metrics,
    clock: Date.now,
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
      for (const part of [catalog, stores.keywords, stores.vectors]) await part.close();
    },
  };
}

const asEverybody: Interceptor = (next) => (call) => {
  call.identify(testPrincipal(), 'Bearer test');
  return next(call);
};
