import type { DescService } from '@bufbuild/protobuf';
import { type Client, createClient, type Transport } from '@connectrpc/connect';
import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { CacheService } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { CuratedAnswerService } from '#gen/ragmesh/chat/v1/curated_pb.ts';
import { FeedbackService } from '#gen/ragmesh/chat/v1/feedback_pb.ts';
import { HandoverService } from '#gen/ragmesh/chat/v1/handover_pb.ts';
import { CallerService } from '#gen/ragmesh/edge/v1/caller_pb.ts';
import { EvaluationService } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { IndexerService } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { KnowledgeHealthService } from '#gen/ragmesh/indexer/v1/knowledge_health_pb.ts';
import { OverlayService } from '#gen/ragmesh/indexer/v1/overlay_pb.ts';
import { SourceService } from '#gen/ragmesh/indexer/v1/source_pb.ts';
import { VersionGateService } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';
import { LLMGatewayService } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { IndexAdminService } from '#gen/ragmesh/retrieval/v1/index_admin_pb.ts';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';

/** The contracts with rpcs that the edge serves, by the names of their clients. */
export const contracts = {
  chat: ChatService,
  feedback: FeedbackService,
  handover: HandoverService,
  curated: CuratedAnswerService,
  retrieval: RetrievalService,
  indexAdmin: IndexAdminService,
  indexer: IndexerService,
  sources: SourceService,
  overlays: OverlayService,
  versionGate: VersionGateService,
  knowledgeHealth: KnowledgeHealthService,
  llm: LLMGatewayService,
  cache: CacheService,
  audit: AuditService,
  evaluation: EvaluationService,
  caller: CallerService,
} as const satisfies Record<string, DescService>;

/** Typed clients, one for each contract. Rpcs that the edge does not serve answer UNIMPLEMENTED. */
export type RagmeshClients = { readonly [Name in keyof typeof contracts]: Client<(typeof contracts)[Name]> };

/** Creates the clients over a transport. */
export function createClients(transport: Transport): RagmeshClients {
  const entries = Object.entries(contracts).map(([name, contract]) => [name, createClient(contract, transport)]);
  return Object.fromEntries(entries) as RagmeshClients;
}
