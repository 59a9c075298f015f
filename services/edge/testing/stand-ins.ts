import { generateKeyPairSync } from 'node:crypto';
import { create, type DescService, type MessageInitShape } from '@bufbuild/protobuf';
import { CredentialService } from '#gen/ragmesh/accounts/v1/credential_pb.ts';
import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { CacheService } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import { type AskRequest, AskResponseSchema, ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { ConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { EmbeddingService } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { EvaluationService } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { IndexerService } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { LLMGatewayService } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { RerankService } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { IndexAdminService } from '#gen/ragmesh/retrieval/v1/index_admin_pb.ts';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import type { Logger } from '#kit/base/log.ts';
import { defineService, type ServiceDefinition } from '#kit/host/define-service.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import { startTestMesh, type TestMesh } from '#kit/testing/mesh.ts';
import { openEdgeState } from '../admission/edge-state.ts';
import { readEdgeSettings } from '../config.ts';
import { edgeNeeds } from '../needs.ts';
import { openCallers } from '../rpc/callers.ts';
import { createEdge, type EdgeOptions, type RunningEdge } from '../service.ts';

// The edge for tests: over real sockets, in front of small services in place of the real ones.

/** An event of an answer, as a stand-in writes it. */
export type AskEvent = MessageInitShape<typeof AskResponseSchema>['event'];

/** What a chat stand-in does with a question. */
export type Answer = (request: AskRequest, context: CallContext) => AsyncIterable<AskEvent>;

/** What reached the stand-ins. */
export interface Seen {
  questions: AskRequest[];
  callers: Principal[];
  /** Time that was left when a call began, in milliseconds. */
  timeoutsMs: (number | undefined)[];
  /** Bytes of uploads. */
  uploadedBytes: number;
  /** Questions whose caller went away. */
  abortedCount: number;
  /** Questions in flight. */
  openCount: number;
}

/** The events of a short answer, with two text deltas. */
export async function* shortAnswer({ question }: AskRequest): AsyncGenerator<AskEvent> {
  yield { case: 'started', value: { answerId: 'a1', sessionId: 's1', standaloneQuestion: question } };
  yield { case: 'stage', value: { stage: 1, status: 2, latencyUs: 100n, detail: 'hit in memory' } };
  const passage = {
    chunkId: 'c1',
    documentId: 'd1',
    corpus: 'help',
    title: 'Returns',
    text: 'Within 30 days.'.repeat(20),
  };
  yield { case: 'sources', value: { passages: [passage] } };
  yield { case: 'textDelta', value: { text: 'Within 30 days, ' } };
  yield { case: 'textDelta', value: { text: '退货免费 [1].' } };
  yield {
    case: 'citation',
    value: { marker: 1, chunkId: 'c1', documentId: 'd1', title: 'Returns', corpus: 'help', page: 3 },
  };
  yield { case: 'usage', value: { promptTokens: 120n, completionTokens: 9n } };
  yield {
    case: 'done',
    value: { outcome: AnswerOutcome.ANSWERED, answerId: 'a1', sessionId: 's1', model: 'extractive', traceId: 't1' },
  };
}

function standIn<Desc extends DescService>(name: string, contract: Desc, impl: Partial<ServiceHandlers<Desc>> = {}) {
  return standInFor(name, [contract], impl);
}

function standInFor(name: string, contracts: readonly DescService[], impl: object = {}) {
  return defineService({
    name,
    contracts,
    config: () => ({}),
    needs: {},
    create: async () => ({ impl: impl as never, close: async () => {} }),
  });
}

/** An edge for a test. */
export interface EdgeMesh extends AsyncDisposable {
  mesh: TestMesh;
  /** With `apart`: the process of the other services. */
  behind: TestMesh | undefined;
  edge: RunningEdge;
  seen: Seen;
  /** "http://127.0.0.1:<port>". */
  url: string;
  /** The headers of the development key. */
  authorization: { authorization: string };
}

/** How a test wants its edge. */
export interface EdgeMeshOptions extends EdgeOptions {
  answer?: Answer;
  /** Gives answers again. @default it is not served, as by an earlier release */
  repeat?: ServiceHandlers<typeof ChatService>['repeat'];
  llm?: Partial<ServiceHandlers<typeof LLMGatewayService>>;
  embedding?: Partial<ServiceHandlers<typeof EmbeddingService>>;
  rerank?: Partial<ServiceHandlers<typeof RerankService>>;
  /** The service of keys. @default one that serves nothing */
  accounts?: ServiceDefinition;
  /** The audit. @default one that serves nothing */
  audit?: ServiceDefinition;
  config?: MessageInitShape<typeof ConfigSchema>;
  clock?: () => number;
  /** @default silent */
  log?: Logger;
  /** A folder that an earlier mesh kept. */
  dataDir?: string;
  /** Whether the edge is a process of its own, which reaches the others over gRPC. @default false */
  apart?: boolean;
  /** With `apart`: services that the edge has no address of. @default none */
  absent?: readonly string[];
  /** With `apart`: the port by which the edge reaches the others, given theirs. */
  through?(port: number): Promise<number>;
}

/** Starts an edge with stand-ins behind it, by default with development keys and without a limit that tests would reach. */
export async function startEdgeMesh(options: EdgeMeshOptions = {}): Promise<EdgeMesh> {
  const seen: Seen = { questions: [], callers: [], timeoutsMs: [], uploadedBytes: 0, abortedCount: 0, openCount: 0 };
  const answer = options.answer ?? shortAnswer;
  const chat = standIn('chat', ChatService, {
    async *ask(request, context) {
      seen.questions.push(request);
      seen.callers.push(context.principal);
      seen.timeoutsMs.push(context.timeoutMs());
      seen.openCount++;
      const onAbort = () => seen.abortedCount++;
      context.signal.addEventListener('abort', onAbort);
      try {
        for await (const event of answer(request, context)) yield create(AskResponseSchema, { event } as never);
        context.signal.removeEventListener('abort', onAbort);
      } finally {
        seen.openCount--;
      }
    },
    ...(options.repeat && { repeat: options.repeat }),
    stopAnswer: () => ({}),
    async getSession({ sessionId }, context) {
      seen.callers.push(context.principal);
      context.responseHeader.set('x-session', sessionId);
      return { session: { sessionId, title: context.principal.user } };
    },
  });
  const indexer = standIn('indexer', IndexerService, {
    async ingestDocuments(parts) {
      let sizeBytes = 0;
      for await (const { part } of parts) {
        if (part.case === 'data') sizeBytes += part.value.length;
        seen.uploadedBytes = sizeBytes;
      }
      return { jobId: 'j1', sizeBytes: BigInt(sizeBytes) };
    },
  });
  const llm = standIn('llm-gateway', LLMGatewayService, {
    listModels: () => ({ models: [{ name: 'extractive', provider: 'extractive' }] }),
    ...options.llm,
  });
  const edge = defineService({
    name: 'edge',
    contracts: [],
    config: readEdgeSettings,
    needs: {},
    optionalNeeds: edgeNeeds,
    servesPublic: true,
    state: openEdgeState,
    admission: (deps) => openCallers(deps, options.managed),
    create: (deps) => createEdge(deps, options),
  });
  const embedding = standIn('embedding', EmbeddingService, options.embedding);
  const rerank = standIn('rerank', RerankService, options.rerank);
  const services = [
    ...[chat, indexer, llm, embedding, rerank, edge],
    options.accounts ?? standIn('accounts', CredentialService),
    standIn('cache', CacheService),
    options.audit ?? standIn('audit', AuditService),
    standIn('evaluation', EvaluationService),
    standInFor('retrieval', [RetrievalService, IndexAdminService]),
  ];
  const unlimited = 1_000_000;
  const start = (chosen: typeof services, config: MessageInitShape<typeof ConfigSchema>) =>
    startTestMesh(chosen, {
      known: services,
      ...(options.clock && { clock: options.clock }),
      ...(options.log && { log: options.log }),
      ...(options.dataDir && { dataDir: options.dataDir }),
      config: {
        ...options.config,
        ...config,
        edge: {
          tenantRequestsPerSecond: unlimited,
          tenantBurst: unlimited,
          userRequestsPerSecond: unlimited,
          userBurst: unlimited,
          userMaxConcurrent: 100_000,
          anonymousRequestsPerSecond: unlimited,
          anonymousBurst: unlimited,
          ...options.config?.edge,
        },
      } as MessageInitShape<typeof ConfigSchema>,
    });
  let behind: TestMesh | undefined;
  let mesh: TestMesh;
  if (options.apart === true) {
    const privateKey = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
    const identity = { privateKey };
    behind = await start(
      services.filter((service) => service !== edge),
      { identity },
    );
    const port = behind.host.grpcPort;
    const address = `127.0.0.1:${(await options.through?.(port)) ?? port}`;
    mesh = await start([edge], {
      identity,
      addresses: Object.fromEntries(
        services.filter(({ name }) => !options.absent?.includes(name)).map(({ name }) => [name, address]),
      ),
    });
  } else {
    mesh = await start(services, {});
  }
  const running = mesh.host.running('edge') as unknown as RunningEdge;
  return {
    mesh,
    behind,
    edge: running,
    seen,
    url: `http://127.0.0.1:${running.port}`,
    authorization: { authorization: `Bearer ${running.devKeys?.dev}` },
    async [Symbol.asyncDispose]() {
      await mesh.close();
      await behind?.close();
    },
  };
}
