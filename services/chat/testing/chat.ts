import { create, type DescService, type MessageInitShape } from '@bufbuild/protobuf';
import type { CallOptions, Client } from '@connectrpc/connect';
import { AuditService, type RecordRequest } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import {
  CacheService,
  type LookupRequest,
  type LookupResponseSchema,
  type MatchQuestionRequest,
} from '#gen/ragmesh/cache/v1/cache_pb.ts';
import {
  type AskRequestSchema,
  type AskResponse,
  ChatService,
  StageStatusSchema,
} from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { type AnswerDone, type AnswerEvent, CacheLayer, type Citation } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { type Passage, PassageSchema, StageSchema, type TokenUsage } from '#gen/ragmesh/common/v1/common_pb.ts';
import {
  type GenerateRequest,
  type GenerateResponseSchema,
  LLMGatewayService,
  type ModelSchema,
  Outcome,
} from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { type RerankRequest, type RerankResponseSchema, RerankService } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import {
  type CorpusSchema,
  Leg,
  RetrievalService,
  type RetrieveRequest,
  type RetrieveResponseSchema,
} from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { enumName } from '#kit/base/enums.ts';
import { defineService } from '#kit/host/define-service.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import { startTestMesh, type TestMesh } from '#kit/testing/mesh.ts';
import { type ChatSettings, readConfig } from '../config.ts';
import { chat } from '../index.ts';

// Chat for tests, behind scripted dependencies.

type GenerateEvent = MessageInitShape<typeof GenerateResponseSchema>['event'];
type RerankEvent = MessageInitShape<typeof RerankResponseSchema>['event'];
type RetrieveEvent = MessageInitShape<typeof RetrieveResponseSchema>['event'];
/** An event of a look-up. */
export type LookupEvent = MessageInitShape<typeof LookupResponseSchema>['event'];

/** What the dependencies do; a test changes the part that it is about. */
export interface Script {
  corpora: () => Promise<MessageInitShape<typeof CorpusSchema>[]>;
  retrieve: (request: RetrieveRequest, context: CallContext) => AsyncIterable<RetrieveEvent>;
  models: MessageInitShape<typeof ModelSchema>[];
  generate: (request: GenerateRequest, context: CallContext) => AsyncIterable<GenerateEvent>;
  /** `undefined`: a small cache that works. */
  lookup: ((request: LookupRequest, context: CallContext) => AsyncIterable<LookupEvent>) | undefined;
  /** The place of the candidate that means the same as the question. */
  match: (request: MatchQuestionRequest) => number | undefined;
  record: (record: RecordRequest, context: CallContext) => Promise<void>;
  /** The model that scores written sentences. */
  rerank: (request: RerankRequest, context: CallContext) => AsyncIterable<RerankEvent>;
}

/** What the dependencies received. */
export interface Seen {
  retrieved: RetrieveRequest[];
  generated: GenerateRequest[];
  lookups: LookupRequest[];
  /** Fills, with how they ended. */
  fills: { ended: 'commit' | 'abandon' | 'broken'; events: AnswerEvent[]; ttlSeconds?: number }[];
  records: RecordRequest[];
}

/** Passages for tests: `text` of each, from documents d1, d2, …. */
export function passagesOf(...texts: string[]): Passage[] {
  return texts.map((text, index) =>
    create(PassageSchema, {
      chunkId: `d${index + 1}#0`,
      documentId: `d${index + 1}`,
      corpus: 'help',
      version: 3n,
      title: `Document ${index + 1}`,
      url: `https://shop.example/d${index + 1}`,
      text,
      endOffset: text.length,
      scores: { fused: 1 - index / 10, rerank: 0.9 - index / 10 },
    }),
  );
}

/** A search that finds `passages` in both legs. */
export async function* found(passages: Passage[]): AsyncGenerator<RetrieveEvent> {
  const hits = passages.map(({ chunkId, documentId }) => ({ chunkId, documentId, score: 1 }));
  yield { case: 'leg', value: { leg: Leg.VECTOR, hits, latencyUs: 1000n } };
  yield { case: 'leg', value: { leg: Leg.KEYWORD, hits, latencyUs: 500n } };
  yield { case: 'fused', value: { passages, rerankModel: 'lexical', embeddingModel: 'hashing' } };
}

/** A generation that writes `texts`, and ends well. */
export async function* says(...texts: string[]): AsyncGenerator<GenerateEvent> {
  yield { case: 'started', value: { model: 'provider-model', provider: 'stand-in', attempt: 1 } };
  for (const text of texts) yield { case: 'textDelta', value: { text } };
  yield { case: 'usage', value: { promptTokens: 50n, completionTokens: 5n } };
  yield { case: 'done', value: { outcome: Outcome.COMPLETE } };
}

/** Chat under test. */
export interface ChatMesh extends AsyncDisposable {
  mesh: TestMesh;
  client: Client<typeof ChatService>;
  script: Script;
  seen: Seen;
  /** Asks, and gathers the stream to its end. */
  ask(request: MessageInitShape<typeof AskRequestSchema>, options?: CallOptions): Promise<GatheredAnswer>;
}

/** An answer, gathered. */
export interface GatheredAnswer {
  text: string;
  passages: Passage[];
  citations: Citation[];
  usage: TokenUsage | undefined;
  done: AnswerDone | undefined;
  sessionId: string;
  answerId: string;
  standalone: string;
  /** "CACHE FINISHED miss", in order. */
  stages: string[];
  /** Kinds of events in order. */
  kinds: string[];
}

/** Time for everything in tests that are not about time: a busy machine must not look like a late dependency. */
const patience = { listTimeoutMs: 20_000, cacheTimeoutMs: 20_000, retrieveTimeoutMs: 20_000, recordTimeoutMs: 20_000 };

/** Starts chat with its dependencies. `settings` replace the configured ones. */
export async function startChat(
  options: Parameters<typeof startTestMesh>[1] & { settings?: Partial<ChatSettings> } = {},
): Promise<ChatMesh> {
  const config = (given: Parameters<typeof readConfig>[0]) => ({
    ...readConfig(given),
    ...patience,
    ...options.settings,
  });
  const script: Script = {
    corpora: async () => [{ name: 'help', liveVersion: 3n, revision: 'r1' }],
    retrieve: () => found(passagesOf('Returns are free for seven days.', 'Exchanges take two weeks.')),
    models: [
      { name: 'writer', provider: 'stand-in', generative: true },
      { name: 'extractive', provider: 'extractive', generative: false },
      { name: 'counted', provider: 'stand-in', generative: true, tokenizer: 'o200k_base' },
    ],
    generate: () => says('Seven days ', '[1].'),
    lookup: undefined,
    match: () => undefined,
    record: async () => {},
    // No model for sentences is configured by default.
    async *rerank() {},
  };
  const seen: Seen = { retrieved: [], generated: [], lookups: [], fills: [], records: [] };
  const mesh = await startTestMesh([defineService({ ...chat, config }), ...standIns(script, seen)], options);
  const client = mesh.client(ChatService);
  return {
    mesh,
    client,
    script,
    seen,
    ask: async (request, callOptions) => gather(client.ask(request, callOptions ?? (await mesh.as()))),
    [Symbol.asyncDispose]: () => mesh.close(),
  };
}

/** Gathers an answer to its end; `each` sees every event as it arrives. */
export async function gather(
  responses: AsyncIterable<AskResponse>,
  each: (response: AskResponse, asked: GatheredAnswer) => void = () => {},
): Promise<GatheredAnswer> {
  const asked: GatheredAnswer = {
    ...{ text: '', passages: [], citations: [], usage: undefined, done: undefined },
    ...{ sessionId: '', answerId: '', standalone: '', stages: [], kinds: [] },
  };
  for await (const response of responses) {
    const { event } = response;
    asked.kinds.push(event.case ?? 'none');
    if (event.case === 'started') {
      asked.sessionId = event.value.sessionId;
      asked.answerId = event.value.answerId;
      asked.standalone = event.value.standaloneQuestion;
    } else if (event.case === 'stage') {
      const { stage, status, detail } = event.value;
      asked.stages.push(`${enumName(StageSchema, stage)} ${enumName(StageStatusSchema, status)} ${detail}`.trim());
    } else if (event.case === 'sources') asked.passages = event.value.passages;
    else if (event.case === 'textDelta') asked.text += event.value.text;
    else if (event.case === 'reset') {
      asked.text = '';
      asked.citations = [];
    } else if (event.case === 'citation') asked.citations.push(event.value);
    else if (event.case === 'usage') asked.usage = event.value;
    else if (event.case === 'done') asked.done = event.value;
    each(response, asked);
  }
  return asked;
}

export function standIns(script: Script, seen: Seen) {
  return [
    standIn('retrieval', RetrievalService, {
      listCorpora: async () => ({ corpora: await script.corpora() }),
      async *retrieve(request, context) {
        seen.retrieved.push(request);
        for await (const event of script.retrieve(request, context)) yield { event };
      },
    }),
    standIn('llm-gateway', LLMGatewayService, {
      listModels: async () => ({ models: script.models }),
      async *generate(request, context) {
        seen.generated.push(request);
        for await (const event of script.generate(request, context)) yield { event };
      },
    }),
    standIn('audit', AuditService, {
      async record(record, context) {
        await script.record(record, context);
        seen.records.push(record);
        return { sequence: BigInt(seen.records.length) };
      },
      async recordAll({ records }, context) {
        const sequences: bigint[] = [];
        for (const record of records) {
          await script.record(record, context);
          sequences.push(BigInt(seen.records.push(record)));
        }
        return { sequences };
      },
    }),
    standIn('cache', CacheService, smallCache(script, seen)),
    standIn('rerank', RerankService, {
      async *rerank(request, context) {
        for await (const event of script.rerank(request, context)) yield { event };
      },
    }),
  ];
}

function standIn<Desc extends DescService>(name: string, contract: Desc, impl: Partial<ServiceHandlers<Desc>>) {
  return defineService({
    name,
    contracts: [contract as DescService],
    config: () => ({}),
    needs: {},
    create: async () => ({ impl: impl as never, close: async () => {} }),
  });
}

// A cache that keeps what is committed, without a limit.
function smallCache(script: Script, seen: Seen): Partial<ServiceHandlers<typeof CacheService>> {
  const answers = new Map<string, AnswerEvent[]>();
  const leases = new Map<string, string>();
  return {
    matchQuestion: async (request) => {
      const index = script.match(request);
      return index === undefined ? {} : { index };
    },
    async *lookup(request, context) {
      seen.lookups.push(request);
      if (script.lookup !== undefined) {
        for await (const event of script.lookup(request, context)) yield { event };
        return;
      }
      const { tenant, groups } = context.principal;
      const key = JSON.stringify([tenant, groups, request.question, request.scope], (_, value) => value);
      const events = request.refresh ? undefined : answers.get(key);
      if (events === undefined) {
        const leaseId = `lease-${leases.size}`;
        leases.set(leaseId, key);
        yield { event: { case: 'lease', value: { leaseId, ttlMs: 1000 } } };
        return;
      }
      yield { event: { case: 'hit', value: { layer: CacheLayer.MEMORY } } };
      for (const value of events) yield { event: { case: 'answer', value } };
    },
    async fill(requests) {
      const fill: Seen['fills'][number] = { ended: 'broken', events: [] };
      seen.fills.push(fill);
      let key = '';
      for await (const { part } of requests) {
        if (part.case === 'start') key = leases.get(part.value.leaseId) ?? '';
        else if (part.case === 'answer') fill.events.push(part.value);
        else if (part.case !== undefined) fill.ended = part.case;
        if (part.case === 'commit') fill.ttlSeconds = part.value.ttlSeconds;
      }
      if (fill.ended === 'commit') answers.set(key, fill.events);
      return { stored: fill.ended === 'commit' };
    },
  };
}
