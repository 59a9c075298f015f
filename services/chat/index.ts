import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { CacheService } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import { ChatErasureService } from '#gen/ragmesh/chat/v1/chat_erasure_pb.ts';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { ClaimService } from '#gen/ragmesh/chat/v1/claim_pb.ts';
import { ConversationDeskService } from '#gen/ragmesh/chat/v1/conversation_desk_pb.ts';
import { CuratedAnswerService } from '#gen/ragmesh/chat/v1/curated_pb.ts';
import { FeedbackService } from '#gen/ragmesh/chat/v1/feedback_pb.ts';
import { HandoverService } from '#gen/ragmesh/chat/v1/handover_pb.ts';
import { InboxService } from '#gen/ragmesh/chat/v1/inbox_pb.ts';
import { LLMGatewayService } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { RerankService } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { createBreakers } from '#kit/breaker/breakers.ts';
import { createFromAdapter } from '#kit/host/config/adapters.ts';
import { defineService, usesPostgres } from '#kit/host/define-service.ts';
import { createHttpClient } from '#kit/http/json.ts';
import { createMasksOf } from '#kit/personal-data/request-masks.ts';
import { calls } from '#kit/rpc/needs.ts';
import { createReplies } from './acts/replies.ts';
import { createRouter } from './acts/router.ts';
import { createBackgroundTasks } from './answer/background.ts';
import { createGuardrails } from './ask/guardrails/guardrails.ts';
import { createIds } from './ask/ids.ts';
import { createRepeats } from './cache/repeats.ts';
import { readConfig } from './config.ts';
import { createFindCurated } from './evidence/curated/curated.ts';
import type { DeskDeps, HandoverDesk } from './handover/desk.ts';
import { createReporting } from './handover/reporting.ts';
import { createChatMetrics } from './metrics.ts';
import { promptVersion } from './prompt/prompt.ts';
import { createTokenCounters } from './prompt/token-counters.ts';
import { createChat } from './service.ts';
import { createGroupSessions } from './sessions/in-flight/group-sessions.ts';
import { createOpenSessions } from './sessions/in-flight/open-sessions.ts';
import { type SessionSchema, sessionMigrations } from './sessions/schema.ts';
import { createSessions } from './sessions/sessions.ts';
import { createToolAccess } from './tools/tool-access.ts';
import { createModels } from './understand/models.ts';

const deskAdapters = new URL('./adapters/handover-desk/', import.meta.url);
const guardrailAdapters = new URL('./adapters/guardrail/', import.meta.url);
const toolAdapters = new URL('./adapters/tool/', import.meta.url);

/** Answers questions from documents, streamed, with citations: the orchestrator. */
export const chat = defineService({
  name: 'chat',
  contracts: [
    ChatService,
    HandoverService,
    FeedbackService,
    CuratedAnswerService,
    InboxService,
    ConversationDeskService,
    ChatErasureService,
    ClaimService,
  ],
  config: readConfig,
  needs: {
    retrieval: calls(RetrievalService, 'retrieve', 'listCorpora'),
    cache: calls(CacheService, 'lookup', 'fill', 'matchQuestion'),
    llm: calls(LLMGatewayService, 'generate', 'listModels'),
    audit: calls(AuditService, 'record', 'recordAll'),
  },
  // Scores the sentences of written answers, if a model for that is configured.
  optionalNeeds: { rerank: calls(RerankService, 'rerank') },
  deployment: {
    ...{ replicas: { min: 3, max: 40 }, cpu: 1, callsPerReplica: 200, stores: ['postgres'] },
    callsTools: true,
    hasCanary: true,
  },
  // In the owner too: evaluation there asks it.
  place: () => 'everywhere',
  isStateExternal: usesPostgres,
  async state({ config: { sessionMs, feedbackMs }, clock, random, log, openDatabase, isShared }) {
    const database = await openDatabase<SessionSchema>('sessions', sessionMigrations);
    const newId = createIds(clock, random);
    const replica = newId();
    const sessions = createSessions({ database, clock, sessionMs, feedbackMs, replica, newId, log });
    const connect = isShared ? createGroupSessions(sessions) : () => ({ port: sessions, close() {} });
    return { connect, close: () => sessions.close() };
  },
  move: ({ copyRecords }) => copyRecords('sessions', sessionMigrations),
  async create({ config: settings, clients, optionalClients, clock, random, log, metrics, state: sessions, signer }) {
    const newId = createIds(clock, random);
    const background = createBackgroundTasks(log);
    const breakers = createBreakers(metrics, log);
    const http = createHttpClient({ maxConnections: 32, breakers });
    const toolbox = await createToolAccess(settings, {
      folder: toolAdapters,
      fetch: http.fetch,
      ...{ breakers, signer, clock, log },
    });
    const guardrails = await createGuardrails(settings.guardrails, {
      folder: guardrailAdapters,
      fetch: http.fetch,
      breakers,
      log,
    });
    const desk =
      settings.handoverDesk === undefined
        ? undefined
        : await createFromAdapter<HandoverDesk, DeskDeps>(
            deskAdapters,
            settings.handoverDesk.adapter,
            settings.handoverDesk.settings,
            { clock, fetch: http.fetch },
            'chat.handover_desk',
          );
    return {
      impl: createChat({
        metrics: createChatMetrics(metrics),
        ...{ settings, clients, sessions, background, clock, log },
        promptVersion: promptVersion(settings),
        openSessions: createOpenSessions(() => sessions.stopsWanted(), log),
        models: createModels(clients.llm, clock, log),
        newId,
        masksOf: createMasksOf(settings.personalData),
        findCurated: createFindCurated({ sessions, cache: clients.cache, clock, log }),
        scorer: settings.supportModel && { settings: settings.supportModel, rerank: optionalClients.rerank() },
        repeats: createRepeats(),
        counters: createTokenCounters(log),
        guardrails,
        route: createRouter(),
        replies: createReplies(settings.replies),
        toolbox,
        reportHandover: createReporting(desk, background, log),
      }),
      drain: () => background.idle(),
      async close() {
        // Also here: calls that were cancelled at the end of the grace period have begun their records since.
        await background.idle();
        await toolbox.close();
        await http.close();
      },
    };
  },
});
