import { type Client, createClient, type Interceptor, type Transport } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-web';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { CallerService } from '#gen/ragmesh/edge/v1/caller_pb.ts';
import { IndexerService } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { LLMGatewayService } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';

/** Clients of the contracts that the page uses, at the origin that served it. */
export interface Api {
  /** How the calls travel, for pages that create their own. */
  transport: Transport;
  caller: Client<typeof CallerService>;
  chat: Client<typeof ChatService>;
  indexer: Client<typeof IndexerService>;
  retrieval: Client<typeof RetrievalService>;
  models: Client<typeof LLMGatewayService>;
}

/** Longest time for an rpc that is not a stream. */
const unaryTimeoutMs = 10_000;

/** Creates clients that send an API key. */
export function createApi(key: string): Api {
  const authorize: Interceptor = (next) => (request) => {
    request.header.set('authorization', `Bearer ${key}`);
    return next(request);
  };
  const transport = createConnectTransport({
    baseUrl: new URL('.', document.baseURI).href.replace(/\/$/, ''),
    interceptors: [authorize],
    defaultTimeoutMs: unaryTimeoutMs,
  });
  return {
    transport,
    caller: createClient(CallerService, transport),
    chat: createClient(ChatService, transport),
    indexer: createClient(IndexerService, transport),
    retrieval: createClient(RetrievalService, transport),
    models: createClient(LLMGatewayService, transport),
  };
}

/** Keys that a development server returns. */
export interface DevelopmentKeys {
  staff: string;
  /** Absent if there is no second key. */
  customer?: string;
}

/** Returns the keys of a development server; `undefined` if users bring their own. Throws if the server cannot be reached. */
export async function fetchDevelopmentKeys(signal: AbortSignal): Promise<DevelopmentKeys | undefined> {
  const response = await fetch(new URL('console/session', document.baseURI), {
    headers: { accept: 'application/json' },
    signal: AbortSignal.any([signal, AbortSignal.timeout(unaryTimeoutMs)]),
  });
  if (response.status >= 500) throw new Error(`the server answered ${response.status}`);
  if (!response.ok || !response.headers.get('content-type')?.includes('json')) return undefined;
  const body: unknown = await response.json();
  if (typeof body !== 'object' || body === null || !('key' in body) || typeof body.key !== 'string') return undefined;
  const customer = 'customer_key' in body && typeof body.customer_key === 'string' ? body.customer_key : '';
  return { staff: body.key, ...(customer !== '' && { customer }) };
}
