import { LRUCache } from 'lru-cache';
import type { Hit } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import type { AskRequest, AskResponse } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { AnswerOutcome, CacheLayer } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { type Model, Task } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { shareMessage } from '#kit/rpc/messages/shared-message.ts';
import type { AnswerState } from '../answer/state.ts';
import { hasTask } from '../understand/short-completion.ts';
import type { Understood } from '../understand/understand.ts';
import type { Found } from './lookup.ts';

/** How an answer from the cache was given before: the end of its walk, before its records. */
export interface Given {
  readonly state: AnswerState;
  /** What its caller saw. */
  readonly responses: readonly AskResponse[];
}

/** Questions without a conversation that were understood, and the answers from the cache that they were given. */
export interface Repeats {
  /** Returns what is known of a question, if it depends on nothing but the question and this list of models. */
  understood(tenant: string, request: AskRequest, models: readonly Model[]): Understood | undefined;
  /** Returns how this answer of the cache was given to this question. */
  given(understood: Understood, hit: Hit | undefined): Given | undefined;
  /** Remembers a question that was answered from the cache; not if something of it may differ the next time. */
  remember(tenant: string, request: AskRequest, understood: Understood, found: Found, given: Given): void;
}

/** Questions that are remembered for a list of models. */
const maxQuestions = 1000;

/** Returns whether a question belongs to no conversation and asks for nothing but an answer, from the cache if it has one. */
export function isPlain(request: AskRequest): boolean {
  const { sessionId, createSession, history, toolDecision, bypassCache, inspectPrompt, isTest } = request;
  const isAlone = sessionId === '' && !createSession && history.length === 0 && toolDecision === undefined;
  return isAlone && !bypassCache && !inspectPrompt && !isTest;
}

/**
 * Creates the memory of repeated questions. It replaces no check: the question is looked up in the cache each time, and an answer is given as
 * before only if the cache returns the same message as before. Both are forgotten with that message, or with the list of models.
 */
export function createRepeats(): Repeats {
  const questions = new WeakMap<readonly Model[], LRUCache<string, Understood>>();
  const answers = new WeakMap<Hit, WeakMap<Understood, Given>>();
  return {
    understood: (tenant, request, models) => questions.get(models)?.get(nameOf(tenant, request)),
    given: (understood, hit) => hit && answers.get(hit)?.get(understood),
    remember(tenant, request, understood, found, { state, responses }) {
      const { models, modelTools, tools } = understood;
      const hit = wholeHitOf(found);
      if (hit === undefined || models === undefined) return;
      // A model may say something else of the message the next time, and tools belong to their caller.
      if (hasTask(models, Task.ROUTE) || modelTools.length > 0 || tools.offered.length > 0) return;
      // Something that failed this time, or that others are notified of.
      const isOfCache = state.outcome !== AnswerOutcome.UNSPECIFIED && state.cacheLayer !== CacheLayer.UNSPECIFIED;
      if (!isOfCache || state.degradations.length !== degradationsOf(hit) || state.handover !== undefined) return;
      const known = questions.get(models) ?? new LRUCache<string, Understood>({ max: maxQuestions });
      // The first one stays: callers with other access have their answers by it.
      const kept = known.get(nameOf(tenant, request)) ?? understood;
      questions.set(models, known.set(nameOf(tenant, request), kept));
      const byQuestion = answers.get(hit) ?? new WeakMap<Understood, Given>();
      answers.set(hit, byQuestion.set(kept, { state, responses: responses.map(shareOwn) }));
    },
  };
}

// Those of the answer itself; -1 if it has no end.
function degradationsOf({ events }: Hit): number {
  const last = events.at(-1)?.event;
  return last?.case === 'done' ? last.value.degradations.length : -1;
}

// Messages that name the answer or its times are made for each caller.
function shareOwn(response: AskResponse): AskResponse {
  return response.event.case === 'started' || response.event.case === 'stage' ? response : shareMessage(response);
}

// An answer in memory is the same message each time; one of a lower layer is another one.
function wholeHitOf(found: Found): Hit | undefined {
  if (found.kind !== 'answer' || found.isFollowed || found.hit?.layer !== CacheLayer.MEMORY) return undefined;
  return found.hit.events.length === 0 ? undefined : found.hit;
}

/** All of the question that understanding depends on. */
function nameOf(tenant: string, { question, model, topK, maxTokens, language }: AskRequest): string {
  return `${tenant}\n${model}\n${topK}\n${maxTokens}\n${language}\n${question}`;
}
