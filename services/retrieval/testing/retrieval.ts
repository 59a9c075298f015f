import { join } from 'node:path';
import { create, type DescService, type MessageInitShape } from '@bufbuild/protobuf';
import type { CallOptions, Client } from '@connectrpc/connect';
import { AuditService, type RecordRequest } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import type { Passage } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { RetrievalConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { EmbeddingService } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { type RerankDoneSchema, RerankService } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { IndexAdminService } from '#gen/ragmesh/retrieval/v1/index_admin_pb.ts';
import { IndexDocumentSchema, IndexWriterService } from '#gen/ragmesh/retrieval/v1/index_writer_pb.ts';
import {
  type FusedResult,
  type LegResult,
  RetrievalService,
  type RetrieveRequestSchema,
} from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { SearchLabService } from '#gen/ragmesh/retrieval/v1/search_lab_pb.ts';
import { randomId } from '#kit/base/random-id.ts';
import { toVector } from '#kit/base/vectors.ts';
import { defineService, type ServiceDefinition } from '#kit/host/define-service.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import { calls } from '#kit/rpc/needs.ts';
import { startTestMesh, type TestMesh, testPrincipal } from '#kit/testing/mesh.ts';
import { adapter as keywordAdapter } from '../adapters/keyword-store/sqlite/index.ts';
import { adapter as vectorAdapter } from '../adapters/vector-store/sqlite/index.ts';
import { createCatalog } from '../catalog/catalog.ts';
import { openEngine } from '../catalog/engines/open-engine.ts';
import { readConfig } from '../config.ts';
import { retrieval } from '../index.ts';
import { createRetrievalMetrics } from '../metrics.ts';
import { createRetrieval, type Retrieval } from '../service.ts';
import { createSqliteThreads, type SqliteThreads } from '../sqlite/threads.ts';
import type { KeywordStore } from '../stores/keyword-store.ts';
import type { VectorStore } from '../stores/vector-store.ts';

// Replacements of embedding and rerank, and shortcuts to write and ask, for the tests of this service.

/** Dimensions of the vectors. */
export const dimensions = 16;

/** Returns a vector of a text's words: each word adds to one component. */
export function embedText(text: string): Float32Array {
  const vector = new Float32Array(dimensions);
  for (const word of text.toLowerCase().match(/[\p{sc=Han}]|[a-z0-9]+/gu) ?? []) {
    let hash = 7;
    for (const character of word) hash = (hash * 31 + (character.codePointAt(0) as number)) >>> 0;
    vector[hash % dimensions] = (vector[hash % dimensions] as number) + 1;
  }
  return vector;
}

/** Controls of the stand-ins. */
export interface StandIns {
  beforeEmbed: (signal: AbortSignal) => Promise<void>;
  beforeRerank: (signal: AbortSignal) => Promise<void>;
  /** More of the end of a rerank. */
  reranked: MessageInitShape<typeof RerankDoneSchema>;
  /** Called with each entry of the audit, and its user. */
  onRecord: (entry: RecordRequest, user: string) => void;
  services: ServiceDefinition[];
}

/**
 * Creates stand-ins for embedding, rerank and audit. The reranker's score is the share of the question's words in the text.
 */
export function createStandIns(): StandIns {
  const standIns: StandIns = {
    beforeEmbed: async () => {},
    beforeRerank: async () => {},
    reranked: {},
    onRecord: () => {},
    services: [],
  };
  const embedding = defineService({
    name: 'embedding',
    contracts: [EmbeddingService],
    config: () => ({}),
    needs: {},
    create: async () => ({
      impl: {
        async *embed({ inputs, model }, { signal }) {
          await standIns.beforeEmbed(signal);
          yield { firstIndex: 0, vectors: inputs.map((text) => toVector(embedText(text))), model };
        },
      },
      close: async () => {},
    }),
  });
  const rerank = defineService({
    name: 'rerank',
    contracts: [RerankService],
    config: () => ({}),
    needs: {},
    create: async () => ({
      impl: {
        async *rerank({ query, candidates }, { signal }) {
          await standIns.beforeRerank(signal);
          const words = query.toLowerCase().split(/\s+/);
          const passages = candidates.map(({ text }, index) => ({
            index,
            score: words.filter((word) => text.toLowerCase().includes(word)).length / words.length,
          }));
          yield { event: { case: 'scored' as const, value: { passages } } };
          yield { event: { case: 'done' as const, value: { model: 'shared-words', ...standIns.reranked } } };
        },
      },
      close: async () => {},
    }),
  });
  const audit = defineService({
    name: 'audit',
    contracts: [AuditService],
    config: () => ({}),
    needs: {},
    create: async () => ({
      impl: {
        record: async (entry: RecordRequest, { principal }: CallContext) => {
          standIns.onRecord(entry, principal.user);
          return { sequence: 1n };
        },
      } as never,
      close: async () => {},
    }),
  });
  standIns.services = [embedding, rerank, audit];
  return standIns;
}

/** The stores of a service under test, so that a test can make them fail. */
export interface Stores {
  vectors: VectorStore;
  keywords: KeywordStore;
}

/** Returns the service with `wrap` around its stores. Replicas over one folder share them. `onStart` gets the running service. */
export function retrievalWith(
  wrap: (stores: Stores) => Stores,
  onStart: (running: Retrieval) => void = () => {},
): ServiceDefinition {
  const shared = new Map<string, { threads: SqliteThreads; stores: Stores; userCount: number }>();
  const openStores = async (dataDir: string, readerThreads: number) => {
    const known = shared.get(dataDir);
    if (known !== undefined) return known;
    const threads = createSqliteThreads(readerThreads);
    const store = (name: string) => ({ folder: join(dataDir, name), threads });
    const stores = {
      vectors: await vectorAdapter.create({}, store('vectors')),
      keywords: await keywordAdapter.create({}, store('keywords')),
    };
    const opened = { threads, stores, userCount: 0 };
    shared.set(dataDir, opened);
    return opened;
  };
  return defineService({
    name: 'retrieval',
    contracts: [RetrievalService, SearchLabService, IndexAdminService, IndexWriterService],
    config: readConfig,
    needs: {
      embedding: calls(EmbeddingService, 'embed'),
      rerank: calls(RerankService, 'rerank'),
      audit: calls(AuditService, 'record'),
    },
    async create({ config: settings, clients, log, metrics, clock, random, dataDir, openDatabase, postgres }) {
      const opened = await openStores(dataDir, settings.readerThreads);
      opened.userCount++;
      const { stores, threads } = opened;
      const folder = join(dataDir, 'catalog');
      const engine = await openEngine({ postgres, openDatabase, folder, threads, random, clock });
      const catalog = createCatalog(engine, random);
      const { embedding, rerank: reranker } = clients;
      const running = createRetrieval({
        ...wrap(stores),
        catalog,
        embedding,
        reranker,
        web: undefined,
        settings,
        log,
        metrics: createRetrievalMetrics(metrics),
        clock,
        random,
        audit: () => clients.audit,
        newId: () => randomId(random),
      });
      onStart(running);
      return {
        impl: running.impl,
        async close() {
          await running.close();
          await catalog.close();
          if (--opened.userCount > 0) return;
          shared.delete(dataDir);
          for (const part of [stores.keywords, stores.vectors, threads]) await part.close();
        },
      };
    },
  }) as ServiceDefinition;
}

/** A document of one chunk in short form. `init` has its other fields. */
export type ShortDocument = [documentId: string, text: string, init?: MessageInitShape<typeof IndexDocumentSchema>];

/** Returns a document with one chunk, which is named after it. */
export function toDocument([documentId, text, init]: ShortDocument) {
  return create(IndexDocumentSchema, {
    documentId,
    title: `Title of ${documentId}`,
    contentHash: new TextEncoder().encode(text.slice(0, 32).toWellFormed()).slice(0, 32),
    chunks: [toChunk(documentId, 0, text)],
    ...init,
  });
}

/** Returns a chunk of a document. */
export function toChunk(documentId: string, ordinal: number, text: string) {
  return {
    chunkId: `${documentId}#${ordinal}`,
    ordinal,
    text,
    endOffset: text.length,
    vector: toVector(embedText(text)),
  };
}

/** The rpcs of all contracts of the service. */
export type RetrievalClient = Client<typeof RetrievalService> &
  Client<typeof SearchLabService> &
  Client<typeof IndexAdminService> &
  Client<typeof IndexWriterService>;

/** Makes one client of all contracts. `clientOf`: makes the client of one contract. */
export function createRetrievalClient(
  clientOf: <Desc extends DescService>(contract: Desc) => Client<Desc>,
): RetrievalClient {
  return {
    ...clientOf(RetrievalService),
    ...clientOf(SearchLabService),
    ...clientOf(IndexAdminService),
    ...clientOf(IndexWriterService),
  };
}

/** Shortcuts to write and ask. The default caller is a principal of tenant "acme" with every role. */
export interface Shortcuts {
  begin(corpus: string, buildId: string, options?: CallOptions): Promise<bigint>;
  write(corpus: string, version: bigint, documents: ShortDocument[], options?: CallOptions): Promise<bigint>;
  publish(corpus: string, version: bigint, options?: CallOptions): Promise<string>;
  /** Begins, writes and publishes. */
  build(corpus: string, buildId: string, documents: ShortDocument[], options?: CallOptions): Promise<bigint>;
  /** Searches. By default near-duplicates stay, because many tests write the same text repeatedly. */
  ask(query: string, rest?: AskInit, options?: CallOptions): Promise<Answer>;
  /** Counts of a version: documents, chunks, vectors, keywords, orphans. */
  count(corpus: string, version?: bigint): Promise<number[]>;
}

type AskInit = Omit<MessageInitShape<typeof RetrieveRequestSchema>, 'query' | '$typeName' | '$unknown'>;

/** The reply of a search. */
export interface Answer {
  legs: LegResult[];
  fused: FusedResult;
  passages: Passage[];
  /** Documents of the passages, in order. */
  documentIds: string[];
}

/** Creates the short ways over a client. */
export function createShortcuts(client: RetrievalClient, everything: CallOptions): Shortcuts {
  const shortcuts: Shortcuts = {
    async begin(corpus, buildId, options = everything) {
      const request = { corpus, buildId, embeddingModel: 'words', dimensions };
      return (await client.beginVersion(request, options)).version;
    },
    async write(corpus, version, documents, options = everything) {
      async function* requests() {
        yield { corpus, version, documents: documents.map(toDocument) };
      }
      return (await client.writeDocuments(requests(), options)).documentCount;
    },
    async publish(corpus, version, options = everything) {
      return (await client.publishVersion({ corpus, version }, options)).revision;
    },
    async build(corpus, buildId, documents, options) {
      const version = await shortcuts.begin(corpus, buildId, options);
      if (documents.length > 0) await shortcuts.write(corpus, version, documents, options);
      await shortcuts.publish(corpus, version, options);
      return version;
    },
    async ask(query, rest = {}, options = everything) {
      const legs: LegResult[] = [];
      let fused: FusedResult | undefined;
      for await (const { event } of client.retrieve({ query, collapseDuplicates: false, ...rest }, options)) {
        if (fused !== undefined) throw new Error('the fused result was not the last event');
        if (event.case === 'leg') legs.push(event.value);
        if (event.case === 'fused') fused = event.value;
      }
      if (fused === undefined) throw new Error('no fused result came');
      const { passages } = fused;
      return { legs, fused, passages, documentIds: passages.map(({ documentId }) => documentId) };
    },
    async count(corpus, version = 0n) {
      const counts = await client.countIndex({ corpus, version }, everything);
      const { documentCount, chunkCount, vectorCount, keywordCount, orphanCount } = counts;
      return [documentCount, chunkCount, vectorCount, keywordCount, orphanCount].map(Number);
    },
  };
  return shortcuts;
}

/** A mesh with the service. */
export interface RetrievalMesh extends Shortcuts, AsyncDisposable {
  mesh: TestMesh;
  client: RetrievalClient;
  standIns: StandIns;
  /** Call options of a principal: tenant "acme" and every role, unless `init` says otherwise. */
  as(
    init?: Parameters<typeof testPrincipal>[0],
    options?: { timeoutMs?: number; signal?: AbortSignal },
  ): Promise<CallOptions>;
  close(keep?: boolean): Promise<void>;
}

/** How a test starts the service. */
export interface StartOptions {
  config?: MessageInitShape<typeof RetrievalConfigSchema>;
  dataDir?: string;
  service?: ServiceDefinition;
  /** URL of PostgreSQL. @default embedded */
  database?: string;
}

/** Starts the service for a suite, with a catalog of some engine. */
export type StartRetrieval = (options?: StartOptions) => Promise<RetrievalMesh>;

/** Starts the service with stand-ins. */
export async function startRetrieval(options: StartOptions = {}): Promise<RetrievalMesh> {
  const standIns = createStandIns();
  const { dataDir, database } = options;
  const mesh = await startTestMesh([...standIns.services, options.service ?? (retrieval as ServiceDefinition)], {
    // A busy machine is not a slow store.
    config: {
      retrieval: { legTimeoutMs: 60_000, ...options.config },
      ...(database !== undefined && { storage: { database } }),
    },
    ...(dataDir !== undefined && { dataDir }),
  });
  const client = createRetrievalClient(mesh.client);
  const as: RetrievalMesh['as'] = (init, callOptions) => mesh.as(testPrincipal(init), callOptions);
  return {
    ...createShortcuts(client, await as()),
    mesh,
    client,
    standIns,
    as,
    close: (keep) => mesh.close(keep),
    [Symbol.asyncDispose]: () => mesh.close(),
  };
}

/** Returns the error of a promise. Throws if the promise resolves. */
export async function failureOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail');
}
