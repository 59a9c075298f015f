import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { EmbeddingService } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { LLMGatewayService } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { RerankService } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';

/**
 * Contracts that the edge's JSON routes call: server-sent events and the OpenAI face. The contracts that it proxies are not listed:
 * they are all those with public methods.
 */
export const edgeNeeds = {
  chat: ChatService,
  llm: LLMGatewayService,
  embedding: EmbeddingService,
  rerank: RerankService,
};
