import type { JsonValue } from '@bufbuild/protobuf';
import { toJson } from '@bufbuild/protobuf';
import { timestampDate } from '@bufbuild/protobuf/wkt';
import type { AskResponse } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { type Handover, HandoverReasonSchema, HandoverStateSchema } from '#gen/ragmesh/chat/v1/conversation_pb.ts';
import type { ToolCallUpdate } from '#gen/ragmesh/chat/v1/tool_pb.ts';
import {
  type AnswerDefect,
  AnswerDefectSchema,
  type AnswerDone,
  AnswerOutcomeSchema,
  CacheLayer,
  CacheLayerSchema,
  type Citation,
  ClaimFaultSchema,
  SentenceActionSchema,
  SentenceSupportSchema,
  type Sources,
  SourcesSchema,
  ToolCallStatusSchema,
  type UnsupportedClaim,
  type Verdicts,
} from '#gen/ragmesh/common/v1/answer_pb.ts';
import { Language, StageSchema, type TokenUsage } from '#gen/ragmesh/common/v1/common_pb.ts';
import {
  GuardrailActionSchema,
  GuardrailCategorySchema,
  GuardrailPointSchema,
  type GuardrailVerdict,
} from '#gen/ragmesh/common/v1/guardrail_pb.ts';
import { enumName } from '#kit/base/enums.ts';

// Parts of an answer as plain JSON, for the routes that are not rpcs: snake_case, and enums as lower-case words.

/** Languages by the words that JSON routes take. */
export const languagesByWord = { zh: Language.ZH, en: Language.EN } as const;

/** The passages that an answer may cite, as protobuf's JSON mapping has them. */
export function sourcesToJson(sources: Sources): JsonValue {
  return toJson(SourcesSchema, sources, { useProtoFieldName: true });
}

/** A citation: {marker, chunk_id, document_id, title, url, corpus}, and `page` if the document has pages. */
export function citationToJson({ marker, chunkId, documentId, title, url, corpus, page }: Citation): JsonValue {
  return { marker, chunk_id: chunkId, document_id: documentId, title, url, corpus, ...(page > 0 && { page }) };
}

/** Names the form of a citation that {@link toCitationText} returns. */
export const citationForm = 'citation text';

/** Returns the citation of an event as the text of its JSON. */
export function toCitationText({ event }: AskResponse): string {
  return event.case === 'citation' ? JSON.stringify(citationToJson(event.value)) : '';
}

/** Tokens and money. */
export function usageToJson(usage: TokenUsage) {
  return {
    prompt_tokens: Number(usage.promptTokens),
    completion_tokens: Number(usage.completionTokens),
    total_tokens: Number(usage.promptTokens + usage.completionTokens),
    from_cache: usage.fromCache,
    ...(usage.costMicros === undefined ? {} : { cost_micros: Number(usage.costMicros), currency: usage.currency }),
  };
}

/** How an answer ended, as the text of a JSON object. `citations`: each as the text of its object. */
export function doneToJsonText(done: AnswerDone, citations: readonly string[], usage: TokenUsage | undefined): string {
  const head = JSON.stringify({
    answer_id: done.answerId,
    session_id: done.sessionId,
    outcome: enumName(AnswerOutcomeSchema, done.outcome).toLowerCase(),
    model: done.model,
  });
  const tail = JSON.stringify({
    usage: usage === undefined ? null : usageToJson(usage),
    degradations: done.degradations.map(({ stage, reason, effect }) => ({
      stage: enumName(StageSchema, stage).toLowerCase(),
      reason,
      effect,
    })),
    verified: done.verified,
    unsupported_claims: done.unsupportedClaims.map(unsupportedClaimToJson),
    defects: defectsToJson(done.defects),
    ...(done.guardrailVerdicts.length === 0 ? {} : { guardrails: done.guardrailVerdicts.map(guardrailToJson) }),
    ...(done.cacheLayer === CacheLayer.UNSPECIFIED
      ? {}
      : { cache_layer: enumName(CacheLayerSchema, done.cacheLayer).toLowerCase() }),
    trace_id: done.traceId,
  });
  return `${head.slice(0, -1)},"citations":[${citations.join(',')}],${tail.slice(1)}`;
}

/** A sentence that its passages do not support: {start, end, fault, markers}; positions are in UTF-16 code units of the text. */
export function unsupportedClaimToJson({ start, end, fault, markers }: UnsupportedClaim) {
  return { start, end, fault: enumName(ClaimFaultSchema, fault).toLowerCase(), markers };
}

/** What a guardrail says of the question or of a passage: {guardrail, point, category, rule, score, action, chunk_id}. */
export function guardrailToJson({ guardrail, point, category, rule, score, action, chunkId }: GuardrailVerdict) {
  return {
    guardrail,
    point: enumName(GuardrailPointSchema, point).toLowerCase(),
    category: enumName(GuardrailCategorySchema, category).toLowerCase(),
    rule,
    score,
    action: enumName(GuardrailActionSchema, action).toLowerCase(),
    chunk_id: chunkId,
  };
}

/** What a model did wrong, as words: ["endless"]. */
export function defectsToJson(defects: readonly AnswerDefect[]): string[] {
  return defects.map((defect) => enumName(AnswerDefectSchema, defect).toLowerCase());
}

/** Verdicts on sentences: {sentences: [{start, end, support, score, markers, action}]}; `score` is null if it was not measured. */
export function verdictsToJson({ sentences }: Verdicts) {
  return {
    sentences: sentences.map(({ start, end, support, score, markers, action }) => ({
      ...{ start, end },
      support: enumName(SentenceSupportSchema, support).toLowerCase(),
      score: score === undefined ? null : Number(score.toFixed(3)),
      markers,
      action: enumName(SentenceActionSchema, action).toLowerCase(),
    })),
  };
}

/** A hand-over: {state, reason, summary, sources}. */
export function handoverToJson({ state, reason, summary, sources }: Handover) {
  return {
    state: enumName(HandoverStateSchema, state).toLowerCase(),
    reason: enumName(HandoverReasonSchema, reason).toLowerCase(),
    summary,
    sources: sources.map(citationToJson),
  };
}

/** Returns what happens to a call of a tool. */
export function toolCallToJson(call: ToolCallUpdate) {
  const { callId, tool, title, argumentsJson, status, detail, marker, approveBefore } = call;
  return {
    call_id: callId,
    tool,
    title,
    arguments: argumentsJson,
    status: enumName(ToolCallStatusSchema, status).toLowerCase(),
    ...(detail !== '' && { detail }),
    ...(marker > 0 && { marker }),
    ...(approveBefore !== undefined && { approve_before: timestampDate(approveBefore).toISOString() }),
  };
}
