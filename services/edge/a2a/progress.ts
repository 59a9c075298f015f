import { create, fromJson, type JsonValue } from '@bufbuild/protobuf';
import { timestampFromMs, ValueSchema } from '@bufbuild/protobuf/wkt';
import {
  type Artifact,
  ArtifactSchema,
  type Message,
  MessageSchema,
  type Part,
  PartSchema,
  Role,
  TaskState,
  type TaskStatus,
  TaskStatusSchema,
} from '#gen/lf/a2a/v1/a2a_pb.ts';
import type { AskResponse } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import type { ToolCallUpdate } from '#gen/ragmesh/chat/v1/tool_pb.ts';
import { type AnswerDone, AnswerOutcome, type Citation, ToolCallStatus } from '#gen/ragmesh/common/v1/answer_pb.ts';
import type { TokenUsage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { citationToJson, doneToJsonText, toolCallToJson } from '../sse/answer-json.ts';
import { jsonType, markdownType } from './request.ts';

/** What is known of a task. Changed by {@link apply} and {@link end} only. */
export interface Progress {
  state: TaskState;
  /** Time of the state, in milliseconds since 1970. */
  sinceMs: number;
  text: string;
  /** Counts how often the text was taken back. */
  round: number;
  citations: Citation[];
  /** Calls of tools that wait for approval. */
  waiting: ToolCallUpdate[];
  usage: TokenUsage | undefined;
  done: AnswerDone | undefined;
  /** Why the task ended without an answer; empty if it did not. */
  note: string;
}

/** Most citations and calls of tools of one answer. */
const maxListed = 100;

/** Returns the state of a task that begins. */
export function begun(nowMs: number): Progress {
  return {
    ...{ state: TaskState.WORKING, sinceMs: nowMs, text: '', round: 0, citations: [], waiting: [] },
    ...{ usage: undefined, done: undefined, note: '' },
  };
}

/** Returns the state after an event of the answer. */
export function apply(progress: Progress, { event }: AskResponse): Progress {
  switch (event.case) {
    case 'textDelta':
      return { ...progress, text: progress.text + event.value.text };
    case 'reset':
      return { ...progress, text: '', citations: [], round: progress.round + 1 };
    case 'citation':
      if (progress.citations.length >= maxListed) return progress;
      return { ...progress, citations: [...progress.citations, event.value] };
    case 'toolCall': {
      const others = progress.waiting.filter(({ callId }) => callId !== event.value.callId);
      const waits = event.value.status === ToolCallStatus.NEEDS_APPROVAL && others.length < maxListed;
      return { ...progress, waiting: waits ? [...others, event.value] : others };
    }
    case 'usage':
      return { ...progress, usage: event.value };
    case 'done':
      return { ...progress, done: event.value };
    default:
      return progress;
  }
}

/** Returns the last state. `note`: why there is no answer; a task with an answer ends as its outcome says. */
export function end(progress: Progress, nowMs: number, as?: { state: TaskState; note: string }): Progress {
  if (isOver(progress)) return progress;
  if (as !== undefined) return { ...progress, sinceMs: nowMs, ...as };
  if (progress.done === undefined) {
    return { ...progress, sinceMs: nowMs, state: TaskState.FAILED, note: 'the answer ended without its last event' };
  }
  return { ...progress, sinceMs: nowMs, ...stateOf(progress.done.outcome) };
}

/** Returns the state of an answer that ended, and why it is no whole answer. */
export function stateOf(outcome: AnswerOutcome): { state: TaskState; note: string } {
  switch (outcome) {
    case AnswerOutcome.FILTERED:
      return { state: TaskState.REJECTED, note: 'a content filter refused the answer' };
    case AnswerOutcome.TRUNCATED:
      return { state: TaskState.FAILED, note: 'the answer was interrupted: ask again' };
    default:
      return { state: TaskState.COMPLETED, note: '' };
  }
}

/** Whether the task has ended. */
export function isOver({ state }: Progress): boolean {
  return state !== TaskState.WORKING;
}

/** Id of the one artifact of a task. */
const artifactId = 'answer';

/** Returns an artifact of the answer with these parts. */
export function answerOf(parts: readonly Part[]): Artifact {
  return create(ArtifactSchema, { artifactId, name: 'Answer', parts: [...parts] });
}

/** Returns a text of the answer. */
export function textPart(text: string): Part {
  return create(PartSchema, { content: { case: 'text', value: text }, mediaType: markdownType });
}

/** Returns what is known about an answer beside its text: outcome, citations, usage, and calls of tools that wait. */
export function dataPart({
  done,
  citations,
  usage,
  waiting,
}: Pick<Progress, 'done' | 'citations' | 'usage' | 'waiting'>): Part[] {
  if (done === undefined) return [];
  const text = doneToJsonText(
    done,
    citations.map((citation) => JSON.stringify(citationToJson(citation))),
    usage,
  );
  const known = JSON.parse(text) as { [name: string]: JsonValue };
  const data: JsonValue = { ...known, ...(waiting.length > 0 && { tool_approvals: waiting.map(toolCallToJson) }) };
  return [create(PartSchema, { content: { case: 'data', value: fromJson(ValueSchema, data) }, mediaType: jsonType })];
}

/** Returns the status of a task; `note` is what a person reads. */
export function statusOf(
  { state, sinceMs, note }: Pick<Progress, 'state' | 'sinceMs' | 'note'>,
  ids: { taskId: string; contextId: string },
): TaskStatus {
  const message: Message | undefined =
    note === ''
      ? undefined
      : create(MessageSchema, {
          messageId: `${ids.taskId}.status`,
          ...ids,
          role: Role.AGENT,
          parts: [{ content: { case: 'text', value: note }, mediaType: 'text/plain' }],
        });
  return create(TaskStatusSchema, { state, timestamp: timestampFromMs(sinceMs), ...(message && { message }) });
}
