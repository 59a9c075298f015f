import type { Client } from '@connectrpc/connect';
import type { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import type { IndexerService } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import type { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { toRpcError } from '#kit/base/errors.ts';
import type { Admission } from '../admission/admission.ts';
import type { CallOptions } from '../openai/json-call.ts';

/** Services behind the tools. */
export interface McpClients {
  chat: Pick<Client<typeof ChatService>, 'ask'>;
  retrieval: Pick<Client<typeof RetrievalService>, 'retrieve' | 'listCorpora'>;
  indexer: Pick<Client<typeof IndexerService>, 'ingestDocuments' | 'getJob' | 'listDocuments' | 'getDocument'>;
}

/** One request of a client, whose tools act as its caller. */
export interface McpCall {
  admission: Admission;
  clients: McpClients;
  /** Returns the options of a call to a service in the name of the caller. */
  as(signal: AbortSignal): CallOptions;
  /** Counts an answer or a search among those of the caller that run now. Throws RESOURCE_EXHAUSTED. */
  begin(): Promise<() => void>;
  /** Notes the failure of a tool, which the client gets as the result of a call. */
  failed(tool: string, error: unknown): void;
}

/** Result of a tool: data for programs, and its JSON for models that read text only. */
export function toResult<T extends Record<string, unknown>>(structuredContent: T) {
  return { content: [{ type: 'text' as const, text: JSON.stringify(structuredContent) }], structuredContent };
}

/** Runs a tool. Its failure is a result with a text that says what to do, so that the model can react. */
export async function run<T extends Record<string, unknown>>(call: McpCall, tool: string, work: () => Promise<T>) {
  try {
    return toResult(await work());
  } catch (error) {
    call.failed(tool, error);
    return { content: [{ type: 'text' as const, text: toRpcError(error).rawMessage }], isError: true };
  }
}
