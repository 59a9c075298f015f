import type { Client, HandlerContext } from '@connectrpc/connect';
import type { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import type { CacheService } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import { type AskRequest, type AskResponse, StageStatus } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { AnswerOutcome, CacheLayerSchema } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { LLMGatewayService } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import type { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import type { CatchUp } from '#kit/base/catch-up.ts';
import { enumName } from '#kit/base/enums.ts';
import type { Logger } from '#kit/base/log.ts';
import type { Metrics } from '#kit/base/metrics.ts';
import { withSpan } from '#kit/base/span.ts';
import { validate } from '../claims/validate.ts';
import type { ChatSettings } from '../config.ts';
import { findEvidence } from '../prompt/evidence.ts';
import { chooseEvidence, historyTokens, toMessages } from '../prompt/prompt.ts';
import type { OpenSessions } from '../sessions/open-sessions.ts';
import type { Sessions } from '../sessions/sessions.ts';
import { type Course, respond } from './course.ts';
import type { Detached } from './detached.ts';
import { generate, isGenerative } from './generate.ts';
import { replay, startAnew } from './lookup.ts';
import type { Models } from './models.ts';
import type { Recorder } from './recorder.ts';
import { textsIn } from './texts.ts';
import { beginPreparing, type Prepared, type Preparing } from './understand.ts';

/** What asking needs. */
export interface AskParts {
  settings: ChatSettings;
  /** Names the prompt template in cache keys. */
  promptVersion: string;
  clients: {
    retrieval: Client<typeof RetrievalService>;
    cache: Client<typeof CacheService>;
    llm: Client<typeof LLMGatewayService>;
    audit: Client<typeof AuditService>;
  };
  sessions: Sessions;
  openSessions: OpenSessions;
  models: Models;
  detached: Detached;
  newId: () => string;
  clock: () => number;
  metrics: Metrics;
  log: Logger;
}

/** A question under way. */
export interface Asking {
  parts: AskParts;
  request: AskRequest;
  context: HandlerContext;
  course: Course;
  /** Set while the answer is recorded into the cache. */
  recorder: Recorder | undefined;
  /** Set where an answer broke off after a part of it was shown, and another one is made. */
  catchUp: CatchUp | undefined;
  /** Lets go of the session. */
  leaveSession: () => void;
}

/**
 * The path of a question: cache ∥ rewrite, retrieval, prompt, generation, validation. Everything but the end of the answer;
 * the course has the outcome where this ends well. Events that are ready together come as a list.
 */
export async function* answer(asking: Asking): AsyncGenerator<AskResponse | readonly AskResponse[]> {
  const { course } = asking;
  const cacheBegan = course.begin(Stage.CACHE);
  course.begin(Stage.REWRITE);
  const preparing = beginPreparing(asking);
  try {
    const prepared = await preparing.prepared;
    const { answerId, sessionId, question, standalone } = course;
    const isRewritten = standalone !== question;
    const [status, detail] = isRewritten ? [StageStatus.FINISHED, standalone] : [StageStatus.SKIPPED, ''];
    yield [
      respond({ case: 'started', value: { answerId, sessionId, standaloneQuestion: standalone } }),
      course.end(Stage.REWRITE, status, detail),
      cacheBegan,
    ];
    const isAnswered = yield* answerFromCache(asking, preparing);
    if (!isAnswered) yield* answerFromEvidence(asking, prepared);
  } finally {
    preparing.close();
  }
}

// Resolves to whether the cache had the answer; if not, a recorder may be at work.
async function* answerFromCache(
  asking: Asking,
  preparing: Preparing,
): AsyncGenerator<AskResponse | readonly AskResponse[], boolean> {
  const { request, context, course } = asking;
  const found = await preparing.found;
  switch (found.kind) {
    case 'answer': {
      const layer = enumName(CacheLayerSchema, found.layer).toLowerCase();
      const detail = found.isFollowed ? 'following a generation under way' : `hit in ${layer}`;
      yield course.end(Stage.CACHE, StageStatus.FINISHED, detail);
      const replayed = yield* replay(found, context, course);
      if (replayed.kind === 'whole') return true;
      asking.catchUp = startAnew(course);
      if (replayed.leaseId !== undefined) preparing.record(replayed.leaseId);
      return false;
    }
    case 'lease':
      preparing.record(found.leaseId);
      if (request.bypassCache) yield course.end(Stage.CACHE, StageStatus.SKIPPED, 'bypassed');
      else yield course.end(Stage.CACHE, StageStatus.FINISHED, 'miss');
      return false;
    case 'none':
      yield course.degrade(Stage.CACHE, found.reason, 'went on without the cache');
      return false;
    default:
      return found satisfies never;
  }
}

async function* answerFromEvidence(asking: Asking, prepared: Prepared): AsyncGenerator<AskResponse> {
  const { request, context, course } = asking;
  const { settings, clients } = asking.parts;
  const { language, topK, maxTokens, model, models, history } = prepared;
  const { standalone } = course;
  course.model = model;
  const search = {
    query: standalone,
    topK,
    corpora: request.corpora,
    ...(request.filter && { filter: request.filter }),
  };
  const passages = yield* findEvidence(clients.retrieval, search, context, settings.retrieveTimeoutMs, course);

  yield course.begin(Stage.PROMPT);
  const { evidence, messages, plainMessages } = await withSpan('prompt.build', {}, async () => {
    const system = settings.systemText || textsIn(language).system;
    // With its history, the question is asked as it was; without, it must stand alone.
    const asked = history.length > 0 ? request.question : standalone;
    return {
      evidence: chooseEvidence(passages ?? [], settings.promptBudgetTokens - historyTokens(history)),
      messages: toMessages(system, history, asked),
      plainMessages: toMessages(system, [], standalone),
    };
  });
  yield respond({ case: 'sources', value: { passages: evidence.passages } });
  const detail = `${evidence.passages.length} of ${passages?.length ?? 0} passages, ${evidence.tokens} tokens`;
  yield course.end(Stage.PROMPT, StageStatus.FINISHED, detail);

  if (evidence.passages.length === 0) {
    const { noEvidence, searchFailed } = textsIn(language);
    // No model writes this.
    course.model = '';
    course.outcome = AnswerOutcome.REFUSED;
    yield course.end(Stage.GENERATE, StageStatus.SKIPPED, 'no evidence');
    yield respond({ case: 'textDelta', value: { text: passages === undefined ? searchFailed : noEvidence } });
    return;
  }
  const { passages: chosen } = evidence;
  const { maxAnswerBytes } = settings;
  const { temperature } = request;
  const { llm } = clients;
  const generation = {
    llm,
    messages,
    plainMessages,
    passages: chosen,
    language,
    maxTokens,
    temperature,
    models,
    maxAnswerBytes,
  };
  yield* generate(generation, context, course);
  const written = { language, isGenerative: isGenerative(course.model, models) };
  yield validate(course, written, asking.parts.metrics);
}
