import { join } from 'node:path';
import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { FeedbackService } from '#gen/ragmesh/chat/v1/feedback_pb.ts';
import { EmbeddingService } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { EvaluationService } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { DocumentErasureService } from '#gen/ragmesh/indexer/v1/document_erasure_pb.ts';
import { IndexerService } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { KnowledgeHealthService } from '#gen/ragmesh/indexer/v1/knowledge_health_pb.ts';
import { OverlayService } from '#gen/ragmesh/indexer/v1/overlay_pb.ts';
import { SourceService } from '#gen/ragmesh/indexer/v1/source_pb.ts';
import { VersionGateService } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';
import { LLMGatewayService } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { IndexAdminService } from '#gen/ragmesh/retrieval/v1/index_admin_pb.ts';
import { IndexWriterService } from '#gen/ragmesh/retrieval/v1/index_writer_pb.ts';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { ConfigError } from '#kit/base/config-error.ts';
import { createBreakers } from '#kit/breaker/breakers.ts';
import { createFromAdapter } from '#kit/host/config/adapters.ts';
import { defineService } from '#kit/host/define-service.ts';
import { calls } from '#kit/rpc/needs.ts';
import { engineOf } from '#kit/storage/engine.ts';
import { readConfig } from './config.ts';
import { createGateStore } from './gate/gate-store.ts';
import { createJobStore } from './jobs/create-job-store.ts';
import type { JobQueue, JobQueueDeps } from './jobs/job-queue.ts';
import { type JobsSchema, jobsMigrations } from './jobs/job-table.ts';
import { createCaller } from './jobs/run/caller.ts';
import { createIndexerMetrics } from './metrics.ts';
import { createOcr } from './prepare/parsers.ts';
import { createIndexer } from './service.ts';
import { type SourcesSchema, sourcesMigrations } from './sources/records/source-table.ts';
import type { BlobStore, BlobStoreDeps } from './uploads/blob-store.ts';
import { moveIndexer } from './uploads/move-records.ts';
import { type RecordsSchema, recordsMigrations } from './uploads/records.ts';

const blobStores = new URL('./adapters/blob-store/', import.meta.url);
const jobQueues = new URL('./adapters/job-queue/', import.meta.url);

/** The indexer service: takes documents and writes searchable chunks. */
export const indexer = defineService({
  name: 'indexer',
  contracts: [
    IndexerService,
    KnowledgeHealthService,
    OverlayService,
    VersionGateService,
    SourceService,
    DocumentErasureService,
  ],
  config: readConfig,
  needs: {
    indexWriter: calls(
      IndexWriterService,
      'beginVersion',
      'writeDocuments',
      'removeDocuments',
      'publishVersion',
      'abandonVersion',
      'purgeDocuments',
      'listIndexedDocuments',
      'scrubIndex',
      'putTrial',
      'getTrial',
    ),
    indexAdmin: calls(IndexAdminService, 'listVersions'),
    retrieval: calls(RetrievalService, 'listCorpora', 'retrieve'),
    embedding: calls(EmbeddingService, 'embed', 'listModels'),
  },
  optionalNeeds: {
    evaluation: calls(EvaluationService, 'runEvaluation'),
    audit: calls(AuditService, 'queryAudit'),
    feedback: calls(FeedbackService, 'listFeedback'),
    llm: calls(LLMGatewayService, 'generate'),
  },
  deployment: {
    replicas: { min: 2, max: 20 },
    isOffline: true,
    cpu: 1,
    // Beside the process itself, one that parses may hold indexer.parse_memory_bytes.
    memoryMib: 2560,
    scalesBy: 'backlog',
    readsSources: true,
    stores: ['postgres', 'queue', 'objects'],
    signsTokens: true,
  },
  move: moveIndexer,
  async create({ config, clients, optionalClients, log, metrics, clock, random, dataDir, openDatabase, signer }) {
    if (signer === undefined) {
      throw new ConfigError(
        'identity.private_key',
        'is missing: the indexer signs calls for callers who have disconnected. Set the private key of the mesh',
      );
    }
    const jobRecords = await openDatabase<JobsSchema>('jobs', jobsMigrations);
    const jobs = createJobStore(jobRecords, clock);
    const records = await openDatabase<RecordsSchema>('records', recordsMigrations);
    const sourceRecords = await openDatabase<SourcesSchema>('sources', sourcesMigrations);
    const isShared = engineOf(records) === 'postgres';
    const { blobStore, jobQueue } = config;
    const blobs = await createFromAdapter<BlobStore, BlobStoreDeps>(
      blobStores,
      blobStore.adapter,
      blobStore.settings,
      {
        ...{ folder: join(dataDir, 'uploads'), openDatabase, clock, path: blobStore.path },
        breakers: createBreakers(metrics, log),
      },
      blobStore.path,
    );
    // What is wrong with it stops the start; it is loaded in the processes that parse.
    if (config.parseLimits.ocr !== undefined) await createOcr(config.parseLimits.ocr);
    const queue = await createFromAdapter<JobQueue, JobQueueDeps>(
      jobQueues,
      jobQueue.adapter,
      jobQueue.settings,
      { notices: jobs, log, path: jobQueue.path },
      jobQueue.path,
    );
    // Made when something needs it: a process without the service starts nevertheless.
    let evaluation: ReturnType<typeof optionalClients.evaluation> | undefined;
    let audit: ReturnType<typeof optionalClients.audit> | undefined;
    let feedback: ReturnType<typeof optionalClients.feedback> | undefined;
    let llm: ReturnType<typeof optionalClients.llm> | undefined;
    return createIndexer({
      ...clients,
      evaluation: () => {
        evaluation ??= optionalClients.evaluation();
        return evaluation;
      },
      audit: () => {
        audit ??= optionalClients.audit();
        return audit;
      },
      feedback: () => {
        feedback ??= optionalClients.feedback();
        return feedback;
      },
      llm: () => {
        llm ??= optionalClients.llm();
        return llm;
      },
      gates: createGateStore(records, config.gate),
      jobs,
      queue,
      blobs,
      records,
      jobRecords,
      sourceRecords,
      scratchDir: join(dataDir, 'sources'),
      // One process at a time owns the folder, so every other lease holder is gone and its leases need not expire first. A replica
      // cannot know that of another one.
      owner: { name: Math.floor(random() * 2 ** 48).toString(36), isGone: () => !isShared },
      caller: createCaller(signer),
      settings: config,
      metrics: createIndexerMetrics(metrics),
      clock,
      random,
      log,
    });
  },
});
