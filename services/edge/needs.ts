import { CredentialService } from '#gen/ragmesh/accounts/v1/credential_pb.ts';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { EmbeddingService } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { IndexerService } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { LLMGatewayService } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { RerankService } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { calls } from '#kit/rpc/needs.ts';

/**
 * What the edge's JSON routes call: server-sent events, the faces of OpenAI and Anthropic, and MCP; and from whom it learns of keys. What the edge proxies is not listed: it is every public
 * method.
 */
export const edgeNeeds = {
  accounts: calls(CredentialService, 'syncCredentials', 'reportKeyUses'),
  chat: calls(ChatService, 'ask', 'repeat', 'stopAnswer', 'getSession', 'listSessions'),
  llm: calls(LLMGatewayService, 'generate', 'listModels'),
  embedding: calls(EmbeddingService, 'embed', 'listModels'),
  rerank: calls(RerankService, 'rerank'),
  retrieval: calls(RetrievalService, 'retrieve', 'listCorpora'),
  indexer: calls(IndexerService, 'ingestDocuments', 'getJob', 'listDocuments', 'getDocument'),
};
