import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { CacheService } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { EmbeddingService } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { EvaluationService } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { IndexerService } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { LLMGatewayService } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { RerankService } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { IndexAdminService } from '#gen/ragmesh/retrieval/v1/index_admin_pb.ts';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';

/** Contracts whose public methods the edge serves, and those behind its OpenAI routes alone. */
export const edgeNeeds = {
  chat: ChatService,
  retrieval: RetrievalService,
  indexAdmin: IndexAdminService,
  indexer: IndexerService,
  llm: LLMGatewayService,
  cache: CacheService,
  audit: AuditService,
  evaluation: EvaluationService,
  embedding: EmbeddingService,
  rerank: RerankService,
};
