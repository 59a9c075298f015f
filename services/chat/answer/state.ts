import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { type AskResponse, AskResponseSchema, StageStatus } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { ConversationAct, type Handover } from '#gen/ragmesh/chat/v1/conversation_pb.ts';
import type { ToolCallUpdate } from '#gen/ragmesh/chat/v1/tool_pb.ts';
import {
  type AnswerDefect,
  type AnswerDone,
  AnswerDoneSchema,
  AnswerOutcome,
  CacheLayer,
  type Citation,
  type UnsupportedClaim,
} from '#gen/ragmesh/common/v1/answer_pb.ts';
import {
  type Degradation,
  DegradationSchema,
  type Passage,
  Stage,
  type TokenUsage,
} from '#gen/ragmesh/common/v1/common_pb.ts';
import { GuardrailPoint, type GuardrailVerdict } from '#gen/ragmesh/common/v1/guardrail_pb.ts';
import type { TrialVersion } from '../evidence/trials.ts';
import type { HandoverEvent } from '../handover/state.ts';
import type { AskEvent, DegradedStage, StageChange } from './events.ts';
import { type EndedStage, toSeenStage, withEndedStage } from './stages.ts';

/** All that is known of one question, from its arrival to the end of its answer. Only {@link next} and {@link repeat} make a new one. */
export interface AnswerState {
  readonly answerId: string;
  readonly question: string;
  readonly askedAtMs: number;
  readonly traceId: string;
  /** Whether the client has the ids. */
  readonly isStarted: boolean;
  /** Empty until the question is understood, and for an answer that belongs to no session. */
  readonly sessionId: string;
  /** Whether the session is not in the store yet. */
  readonly isNewSession: boolean;
  /** What the message is. */
  readonly act: ConversationAct;
  /** A hand-over that this message changed, and the question that a person is to answer; `undefined` if it changed none. */
  readonly handover: { readonly handover: Handover; readonly event: HandoverEvent; readonly about: string } | undefined;
  /** The question as it is searched for. */
  readonly standalone: string;
  /** Versions to which the session is assigned, of corpora with a version on trial. */
  readonly trials: readonly TrialVersion[];
  /** When each stage began, in microseconds since the question arrived. */
  readonly stageStartsUs: ReadonlyMap<Stage, number>;
  /** Stages that have ended, in the order of their ends. */
  readonly stages: readonly EndedStage[];
  /** Alias of the model that writes; empty if none does. */
  readonly model: string;
  /** The passages that the answer may cite; marker [n] names the n-th, from 1. */
  readonly passages: readonly Passage[];
  /** Calls of tools, each as far as it is. */
  readonly toolCalls: readonly ToolCallUpdate[];
  readonly text: string;
  readonly citations: readonly Citation[];
  /** When the first text was shown, in microseconds since the question arrived; 0 before that. */
  readonly firstTextUs: number;
  readonly usage: TokenUsage | undefined;
  /** UNSPECIFIED until the text is complete. */
  readonly outcome: AnswerOutcome;
  /** The layer of the cache that the answer came from; UNSPECIFIED if it was generated. */
  readonly cacheLayer: CacheLayer;
  /** Stages that the answer did without. */
  readonly degradations: readonly Degradation[];
  /** Sentences that their passages do not support. */
  readonly unsupportedClaims: readonly UnsupportedClaim[];
  /** Whether every sentence was compared with its passages, and none failed. */
  readonly isVerified: boolean;
  /** What the model did wrong, each once. */
  readonly defects: readonly AnswerDefect[];
  /** What guardrails say of the question and of passages that were found. */
  readonly guardrailVerdicts: readonly GuardrailVerdict[];
  readonly isDone: boolean;
}

/** The contract's limits: degradations, unsupported claims and verdicts of guardrails of an answer, and characters of a reason or effect. */
const maxDegradations = 32;
const maxClaims = 64;
const maxVerdicts = 64;
const maxReasonLength = 512;

/** Returns the state of a question that has just arrived. */
export function initialState(init: Pick<AnswerState, 'answerId' | 'question' | 'askedAtMs' | 'traceId'>): AnswerState {
  return {
    ...init,
    isStarted: false,
    sessionId: '',
    isNewSession: false,
    act: ConversationAct.UNSPECIFIED,
    handover: undefined,
    standalone: init.question,
    trials: [],
    // Both begin with the question, before the client can see a stage.
    stageStartsUs: new Map([
      [Stage.REWRITE, 0],
      [Stage.CACHE, 0],
    ]),
    stages: [],
    model: '',
    passages: [],
    toolCalls: [],
    text: '',
    citations: [],
    firstTextUs: 0,
    usage: undefined,
    outcome: AnswerOutcome.UNSPECIFIED,
    cacheLayer: CacheLayer.UNSPECIFIED,
    degradations: [],
    unsupportedClaims: [],
    isVerified: false,
    defects: [],
    guardrailVerdicts: [],
    isDone: false,
  };
}

/** The state after an event, and what the client sees of the event. */
export interface Step {
  readonly state: AnswerState;
  readonly response: AskResponse | undefined;
}

/**
 * Returns what an event changes and shows; the only place in which the state of an answer changes by an event. `atUs` is the time of the event
 * in microseconds since the question arrived. Nothing follows `done`, and a citation of a passage that was not given is dropped.
 */
export function next(state: AnswerState, event: AskEvent, atUs: number): Step {
  if (state.isDone) return { state, response: undefined };
  switch (event.case) {
    case 'started': {
      const { answerId } = state;
      const { sessionId, standalone: standaloneQuestion, act } = event.value;
      const started = { answerId, sessionId, standaloneQuestion, act };
      return {
        state: { ...state, ...event.value, isStarted: true },
        response: respond({ case: 'started', value: started }),
      };
    }
    case 'stage': {
      const value = toSeenStage(state.stageStartsUs, event.value, atUs);
      const stages = withEndedStage(state.stages, value, atUs);
      return {
        state: { ...withStageStart(state, event.value, atUs), stages },
        response: respond({ case: 'stage', value }),
      };
    }
    case 'degraded': {
      const { stage } = event.value;
      const degradation = toDegradation(event.value);
      const detail = `${degradation.reason}: ${degradation.effect}`;
      const value = toSeenStage(state.stageStartsUs, { stage, status: StageStatus.DEGRADED, detail }, atUs);
      const stages = withEndedStage(state.stages, value, atUs);
      return {
        state: { ...state, stages, degradations: added(state.degradations, [degradation]) },
        response: respond({ case: 'stage', value }),
      };
    }
    case 'model':
      return { state: { ...state, model: event.value }, response: undefined };
    case 'sources': {
      const { passages } = event.value;
      const citations = state.citations.filter(({ marker }) => marker <= passages.length);
      return { state: { ...state, passages, citations }, response: event.response ?? respond(event) };
    }
    case 'textDelta':
      return {
        state: { ...state, text: state.text + event.value.text, firstTextUs: state.firstTextUs || atUs },
        response: event.response ?? respond(event),
      };
    case 'citation': {
      const { marker } = event.value;
      const isKnown = state.citations.some((known) => known.marker === marker);
      if (isKnown || marker < 1 || marker > state.passages.length) return { state, response: undefined };
      return {
        state: { ...state, citations: [...state.citations, event.value] },
        response: event.response ?? respond(event),
      };
    }
    case 'reset':
      return { state: withoutText(state), response: event.response ?? respond(event) };
    case 'restarted':
      return { state: { ...withoutText(state), passages: [] }, response: undefined };
    case 'usage':
      return { state: { ...state, usage: event.value }, response: event.response ?? respond(event) };
    case 'replayed': {
      const { done, layer } = event.value;
      const { outcome, model, unsupportedClaims, verified: isVerified, defects } = done;
      const cacheLayer = done.cacheLayer || layer;
      const degradations = added(state.degradations, done.degradations);
      const guardrailVerdicts = [...state.guardrailVerdicts, ...done.guardrailVerdicts].slice(0, maxVerdicts);
      const checked = { unsupportedClaims, isVerified, defects, guardrailVerdicts };
      return {
        state: { ...state, outcome, model, cacheLayer, degradations, ...checked },
        response: undefined,
      };
    }
    case 'guardrail': {
      const guardrailVerdicts = [...state.guardrailVerdicts, event.value].slice(0, maxVerdicts);
      return { state: { ...state, guardrailVerdicts }, response: undefined };
    }
    case 'outcome':
      return { state: { ...state, outcome: event.value }, response: undefined };
    case 'remark': {
      const text = state.text === '' ? event.value : `\n\n${event.value}`;
      return {
        state: { ...state, text: state.text + text },
        response: respond({ case: 'textDelta', value: { text } }),
      };
    }
    case 'handover': {
      const { handover, event: happened, about } = event.value;
      return {
        state: happened === undefined ? state : { ...state, handover: { handover, event: happened, about } },
        response: respond({ case: 'handover', value: handover }),
      };
    }
    case 'toolCall': {
      const others = state.toolCalls.filter(({ callId }) => callId !== event.value.callId);
      return { state: { ...state, toolCalls: [...others, event.value] }, response: respond(event) };
    }
    case 'clarification':
    case 'suggestions':
    case 'prompt':
      return { state, response: respond(event) };
    case 'verdicts':
      return { state: withClaims(state, event.claims), response: event.response ?? respond(event) };
    case 'defect': {
      const defects = state.defects.includes(event.value) ? state.defects : [...state.defects, event.value];
      return { state: { ...state, defects }, response: undefined };
    }
    case 'verdict': {
      const { unsupportedClaims, isVerified } = event.value;
      return { state: { ...withClaims(state, unsupportedClaims), isVerified }, response: undefined };
    }
    case 'lease':
      return { state, response: undefined };
    case 'done':
      return { state: { ...state, isDone: true }, response: respond({ case: 'done', value: toDone(state) }) };
    default:
      return event satisfies never;
  }
}

/** Returns the state of an answer that is `given` again, to its end before the records: as it was, under its own ids and times. */
export function repeat(
  { answerId, askedAtMs, traceId, guardrailVerdicts: ofQuestion }: AnswerState,
  given: AnswerState,
  atUs: number,
): AnswerState {
  const firstTextUs = given.firstTextUs === 0 ? 0 : atUs;
  const guardrailVerdicts = [...ofQuestion, ...given.guardrailVerdicts.filter(isOfEvidence)];
  return { ...given, answerId, askedAtMs, traceId, firstTextUs, guardrailVerdicts };
}

/** Returns the end of an answer, as clients and the cache receive it. */
export function toDone(state: AnswerState): AnswerDone {
  return create(AnswerDoneSchema, {
    outcome: state.outcome,
    answerId: state.answerId,
    sessionId: state.sessionId,
    model: state.model,
    degradations: [...state.degradations],
    traceId: state.traceId,
    cacheLayer: state.cacheLayer,
    unsupportedClaims: [...state.unsupportedClaims],
    verified: state.isVerified,
    defects: [...state.defects],
    guardrailVerdicts: [...state.guardrailVerdicts],
  });
}

type ResponseInit = NonNullable<MessageInitShape<typeof AskResponseSchema>['event']>;

/** Returns the message that carries an event to the client. */
export function respond(event: ResponseInit): AskResponse {
  return create(AskResponseSchema, { event });
}

// The text, and all that was said about it.
function withoutText(state: AnswerState): AnswerState {
  const outcome = AnswerOutcome.UNSPECIFIED;
  return { ...state, text: '', citations: [], unsupportedClaims: [], isVerified: false, defects: [], outcome };
}

function withClaims(state: AnswerState, claims: readonly UnsupportedClaim[]): AnswerState {
  if (claims.length === 0) return state;
  return { ...state, unsupportedClaims: [...state.unsupportedClaims, ...claims].slice(0, maxClaims) };
}

function withStageStart(state: AnswerState, { stage, status }: StageChange, atUs: number): AnswerState {
  if (status !== StageStatus.STARTED || state.stageStartsUs.has(stage)) return state;
  return { ...state, stageStartsUs: new Map(state.stageStartsUs).set(stage, atUs) };
}

function toDegradation({ stage, reason, effect }: DegradedStage): Degradation {
  const cut = { reason: reason.slice(0, maxReasonLength), effect: effect.slice(0, maxReasonLength) };
  return create(DegradationSchema, { stage, ...cut });
}

// The degradations with those that are not among them, by stage and effect, up to the limit.
function added(known: readonly Degradation[], more: readonly Degradation[]): readonly Degradation[] {
  const list = [...known];
  for (const degradation of more) {
    const isKnown = list.some(({ stage, effect }) => stage === degradation.stage && effect === degradation.effect);
    if (!isKnown && list.length < maxDegradations) list.push(degradation);
  }
  return list;
}

/** Reports whether a verdict is on a passage: those on a question are for its caller alone. */
export function isOfEvidence({ point }: GuardrailVerdict): boolean {
  return point === GuardrailPoint.EVIDENCE;
}
