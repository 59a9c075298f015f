import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { type AskResponse, type PromptInspection, StageStatus } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import type { Clarification, ConversationAct, Handover, Suggestions } from '#gen/ragmesh/chat/v1/conversation_pb.ts';
import type { ToolCallUpdate } from '#gen/ragmesh/chat/v1/tool_pb.ts';
import {
  type AnswerDefect,
  type AnswerDone,
  type AnswerOutcome,
  type CacheLayer,
  type Citation,
  CitationSchema,
  type Reset,
  ResetSchema,
  type Sources,
  SourcesSchema,
  type TextDelta,
  TextDeltaSchema,
  type UnsupportedClaim,
  type Verdicts,
} from '#gen/ragmesh/common/v1/answer_pb.ts';
import type { Passage, Stage, TokenUsage } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { GuardrailVerdict } from '#gen/ragmesh/common/v1/guardrail_pb.ts';
import type { TrialVersion } from '../evidence/trials.ts';
import type { HandoverEvent } from '../handover/state.ts';

// What can happen to a question. The steps of an answer yield these events and change nothing themselves; `next` in state.ts
// applies them.

/** An event that a client sees as it is. */
export type ShownEvent = (
  | { readonly case: 'sources'; readonly value: Sources }
  | { readonly case: 'textDelta'; readonly value: TextDelta }
  | { readonly case: 'citation'; readonly value: Citation }
  | { readonly case: 'reset'; readonly value: Reset }
  | { readonly case: 'usage'; readonly value: TokenUsage }
) & {
  /** The response, if it exists already: that of a cached answer is made once and sent many times. */
  readonly response?: AskResponse;
};

/** One thing that happens to a question. */
export type AskEvent =
  | ShownEvent
  /** The question is understood. `sessionId` is empty if the answer belongs to no session. */
  | {
      readonly case: 'started';
      readonly value: {
        sessionId: string;
        isNewSession: boolean;
        standalone: string;
        act: ConversationAct;
        /** @default none */
        trials?: readonly TrialVersion[];
      };
    }
  | { readonly case: 'stage'; readonly value: StageChange }
  /** A stage failed or was late, and the answer continues without it. */
  | { readonly case: 'degraded'; readonly value: DegradedStage }
  /** The cache granted the lease with this id: this answer is recorded under it. */
  | { readonly case: 'lease'; readonly value: string }
  /** The alias of the model that writes from here on; empty if none does. */
  | { readonly case: 'model'; readonly value: string }
  /** A replay from the cache is complete. `layer` is the one to report if `done` names none. */
  | { readonly case: 'replayed'; readonly value: { done: AnswerDone; layer: CacheLayer } }
  /** The answer so far ended early, for this reason, and another one is made from the start. */
  | { readonly case: 'restarted'; readonly value: string }
  | { readonly case: 'outcome'; readonly value: AnswerOutcome }
  /** Text of the conversation that follows the answer; it is not a part of what the cache may store. */
  | { readonly case: 'remark'; readonly value: string }
  /** How far a hand-over is after `event`, which is recorded; `undefined` if nothing happened to it. */
  | {
      readonly case: 'handover';
      readonly value: { handover: Handover; event: HandoverEvent | undefined; about: string };
    }
  | { readonly case: 'clarification'; readonly value: Clarification }
  | { readonly case: 'suggestions'; readonly value: Suggestions }
  /** The prompt, for an operator who asked for it. */
  | { readonly case: 'prompt'; readonly value: PromptInspection }
  /** What happens to a call of a tool. An answer with one is its caller's alone, and never in the cache. */
  | { readonly case: 'toolCall'; readonly value: ToolCallUpdate }
  /** Sentences were compared with their passages; `claims` has those that failed. */
  | {
      readonly case: 'verdicts';
      readonly value: Verdicts;
      readonly claims: readonly UnsupportedClaim[];
      readonly response?: AskResponse;
    }
  /** What a guardrail says of the question or of a passage. */
  | { readonly case: 'guardrail'; readonly value: GuardrailVerdict }
  /** What the model did wrong. */
  | { readonly case: 'defect'; readonly value: AnswerDefect }
  /** The whole text was compared with its passages. */
  | { readonly case: 'verdict'; readonly value: { unsupportedClaims: UnsupportedClaim[]; isVerified: boolean } }
  /** The end. */
  | { readonly case: 'done' };

/** Events that are ready together may be yielded as a list, which costs one turn of the event loop instead of many. */
export type AskEvents = AskEvent | readonly AskEvent[];

/** A stage that began or ended. */
export interface StageChange {
  readonly stage: Stage;
  readonly status: StageStatus;
  readonly detail: string;
  /** Time of the stage in microseconds, if its service measured it; otherwise the time since the stage began. */
  readonly latencyUs?: bigint | undefined;
}

/** A stage that the answer does without. */
export interface DegradedStage {
  readonly stage: Stage;
  readonly reason: string;
  readonly effect: string;
  /** Whether the service that reported it has counted it in its own metrics. */
  readonly isCounted: boolean;
}

/** Returns the event of a stage that begins. */
export function stageStarted(stage: Stage): AskEvent {
  return { case: 'stage', value: { stage, status: StageStatus.STARTED, detail: '', latencyUs: 0n } };
}

/** Returns the event of a stage that ended well. */
export function stageFinished(stage: Stage, detail = '', latencyUs?: bigint): AskEvent {
  return { case: 'stage', value: { stage, status: StageStatus.FINISHED, detail, latencyUs } };
}

/** Returns the event of a stage that was not needed. */
export function stageSkipped(stage: Stage, detail = ''): AskEvent {
  return { case: 'stage', value: { stage, status: StageStatus.SKIPPED, detail } };
}

/** Returns the event of a stage that failed, with the effect on the answer. */
export function stageDegraded(stage: Stage, reason: string, effect: string, isCounted = false): AskEvent {
  return { case: 'degraded', value: { stage, reason, effect, isCounted } };
}

/** Returns the event of text that follows the text before it. */
export function textDelta(text: string): AskEvent {
  return { case: 'textDelta', value: create(TextDeltaSchema, { text }) };
}

/** Returns the event of the passages that the answer may cite. */
export function sources(passages: Passage[]): AskEvent {
  return { case: 'sources', value: create(SourcesSchema, { passages }) };
}

/** Returns the event of a marker that was resolved to its passage. */
export function citation(init: MessageInitShape<typeof CitationSchema>): AskEvent {
  return { case: 'citation', value: create(CitationSchema, init) };
}

/** Returns the event that makes the text so far void. `reason` is cut to the contract's limit. */
export function reset(reason: string): AskEvent {
  return { case: 'reset', value: create(ResetSchema, { reason: reason.slice(0, 512) }) };
}
