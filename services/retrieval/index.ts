import { join } from 'node:path';
import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { EmbeddingService } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { RerankService } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { IndexAdminService } from '#gen/ragmesh/retrieval/v1/index_admin_pb.ts';
import { IndexWriterService } from '#gen/ragmesh/retrieval/v1/index_writer_pb.ts';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { SearchLabService } from '#gen/ragmesh/retrieval/v1/search_lab_pb.ts';
import { randomId } from '#kit/base/random-id.ts';
import { createBreakers } from '#kit/breaker/breakers.ts';
import { createFromAdapter } from '#kit/host/config/adapters.ts';
import { defineService, usesPostgres } from '#kit/host/define-service.ts';
import { calls } from '#kit/rpc/needs.ts';
import { createCatalog } from './catalog/catalog.ts';
import { openEngine } from './catalog/engines/open-engine.ts';
import { readConfig } from './config.ts';
import { createRetrievalMetrics, watchSnapshots } from './metrics.ts';
import { moveIndex } from './move/move-index.ts';
import { createFront, type RetrievalPort } from './rpcs/front.ts';
import { createRetrieval } from './service.ts';
import { createBuilder } from './snapshots/build/builder.ts';
import { createSearchThreads } from './snapshots/search/search-threads.ts';
import { snapshotCheck } from './snapshots/snapshot-check.ts';
import { createSnapshots } from './snapshots/snapshots.ts';
import type { EmbeddedStoreDeps } from './sqlite/embedded-store.ts';
import { createSqliteThreads } from './sqlite/threads.ts';
import { breaking, breakingWeb, isLocal } from './stores/breaking.ts';
import type { KeywordStore } from './stores/keyword-store.ts';
import { storeChecks } from './stores/readiness.ts';
import type { VectorStore } from './stores/vector-store.ts';
import type { WebSearch } from './stores/web-search.ts';

const vectorAdapters = new URL('./adapters/vector-store/', import.meta.url);
const webAdapters = new URL('./adapters/web-search/', import.meta.url);
const keywordAdapters = new URL('./adapters/keyword-store/', import.meta.url);

/** Hybrid search over index versions, and the index's writes. */
export const retrieval = defineService({
  name: 'retrieval',
  contracts: [RetrievalService, SearchLabService, IndexAdminService, IndexWriterService],
  config: readConfig,
  needs: { embedding: calls(EmbeddingService, 'embed'), rerank: calls(RerankService, 'rerank') },
  // Gets an entry for each search as another principal; without it there are none.
  optionalNeeds: { audit: calls(AuditService, 'record') },
  deployment: {
    replicas: { min: 3, max: 30 },
    cpu: 1,
    memoryMib: 2048,
    stores: ['postgres', 'vectors', 'keywords'],
  },
  place: (config) => (usesPostgres(config) ? 'everywhere' : 'owner'),
  async front({ ownerClient, port, untilChanged }) {
    const { revision } = port as RetrievalPort;
    return { impl: createFront(ownerClient(RetrievalService), untilChanged(revision)), close: async () => {} };
  },
  move: moveIndex,
  async create({
    config: settings,
    clients,
    optionalClients,
    log,
    metrics,
    clock,
    random,
    dataDir,
    lockDataDir,
    openDatabase,
    postgres,
    countChange,
  }) {
    const isEmbedded = postgres === undefined;
    if (isEmbedded) await lockDataDir();
    const threads = createSqliteThreads(settings.readerThreads, isEmbedded);
    const searching = createSearchThreads(settings.searchThreads);
    const builder = createBuilder();
    // In the order in which they close.
    const parts: { close(): Promise<void> }[] = [builder, searching, threads];
    const close = async () => {
      for (const part of parts) await part.close();
    };
    try {
      const { vectorStore, keywordStore, memoryBytes } = settings;
      const ownMetrics = createRetrievalMetrics(metrics);
      const images = {
        newId: () => randomId(random),
        onOutcome: (outcome: string) => ownMetrics.snapshotImageTotal.inc({ outcome }),
      };
      const newSnapshots = () => createSnapshots(memoryBytes, { log, threads: searching, builder, images });
      const [nearSnapshots, wordSnapshots] = [newSnapshots(), newSnapshots()];
      watchSnapshots(metrics, () => ({ vector: nearSnapshots.usedBytes(), keyword: wordSnapshots.usedBytes() }));
      const vectors = await createFromAdapter<VectorStore, EmbeddedStoreDeps>(
        vectorAdapters,
        vectorStore.adapter,
        vectorStore.settings,
        { folder: join(dataDir, 'vectors'), threads, clock, snapshots: nearSnapshots, postgres },
        'retrieval.vector_store',
      );
      parts.unshift(vectors);
      const keywords = await createFromAdapter<KeywordStore, EmbeddedStoreDeps>(
        keywordAdapters,
        keywordStore.adapter,
        keywordStore.settings,
        { folder: join(dataDir, 'keywords'), threads, clock, snapshots: wordSnapshots, postgres },
        'retrieval.keyword_store',
      );
      parts.unshift(keywords);
      const catalog = createCatalog(
        await openEngine({ postgres, openDatabase, folder: join(dataDir, 'catalog'), threads, random, clock }),
        random,
      );
      parts.unshift(catalog);
      const web =
        settings.webSearch === undefined
          ? undefined
          : await createFromAdapter<WebSearch, Record<string, never>>(
              webAdapters,
              settings.webSearch.adapter,
              settings.webSearch.settings,
              {},
              'retrieval.web_search',
            );
      const { embedding, rerank: reranker } = clients;
      const breakers = createBreakers(metrics, log);
      const retrieving = createRetrieval({
        catalog,
        vectors: isLocal(vectorStore) ? vectors : breaking(vectors, breakers('vector store')),
        keywords: isLocal(keywordStore) ? keywords : breaking(keywords, breakers('keyword store')),
        embedding,
        reranker,
        web: web && breakingWeb(web, breakers('web search')),
        settings,
        log,
        metrics: ownMetrics,
        clock,
        random,
        countChange,
        audit: optionalClients.audit,
        newId: () => randomId(random),
      });
      parts.unshift(retrieving);
      const loaded = snapshotCheck([nearSnapshots, wordSnapshots], retrieving.warmUp);
      const readiness = [...storeChecks(vectors, keywords), loaded, retrieving.readiness];
      return { impl: retrieving.impl, frontPort: retrieving.port, readiness, close };
    } catch (error) {
      await close();
      throw error;
    }
  },
});
