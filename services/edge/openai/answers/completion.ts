import { Code } from '@connectrpc/connect';
import type { AskResponse } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import type { ToolCallUpdate } from '#gen/ragmesh/chat/v1/tool_pb.ts';
import { type AnswerDone, AnswerOutcome, type Citation, ToolCallStatus } from '#gen/ragmesh/common/v1/answer_pb.ts';
import type { TokenUsage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { internal, rpcError, tooLarge } from '#kit/base/errors.ts';
import { formOf } from '#kit/rpc/messages/shared-message.ts';
import type { EventStream } from '../../http/event-stream.ts';
import {
  citationForm,
  citationToJson,
  defectsToJson,
  toCitationText,
  toolCallToJson,
  unsupportedClaimToJson,
} from '../../sse/answer-json.ts';
import { toUsage } from '../usage.ts';
import { annotationsOf } from './annotations.ts';
import type { CompletionRequest } from './request.ts';

/** Longest answer that is held whole, in UTF-16 code units. */
const maxAnswerLength = 4 << 20;

/** Returns an answer as one completion. Throws if the answer is incomplete. */
export async function toCompletion(events: AsyncIterable<AskResponse>, request: CompletionRequest, createdAt: number) {
  let content = '';
  let citations: Citation[] = [];
  let usage: TokenUsage | undefined;
  let done: AnswerDone | undefined;
  let waiting: ToolCallUpdate[] = [];
  for await (const { event } of events) {
    if (event.case === 'textDelta') content += event.value.text;
    else if (event.case === 'citation') citations.push(event.value);
    else if (event.case === 'usage') usage = event.value;
    else if (event.case === 'done') done = event.value;
    else if (event.case === 'toolCall') waiting = waitingFor(waiting, event.value);
    else if (event.case === 'reset') {
      content = '';
      citations = [];
    }
    if (content.length > maxAnswerLength) throw tooLarge('the answer', maxAnswerLength);
  }
  return {
    id: `chatcmpl-${done?.answerId ?? ''}`,
    object: 'chat.completion',
    created: createdAt,
    model: request.model,
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content,
          refusal: null,
          annotations: annotationsOf(content, citations),
          citations: citations.map(citationToJson),
        },
        logprobs: null,
        finish_reason: finishReason(done),
      },
    ],
    usage: toUsage(usage),
    ...approvalsOf(waiting),
    ...verdictOf(done),
    ...(request.warnings.length > 0 ? { warnings: request.warnings } : {}),
  };
}

/**
 * Streams an answer as chunks of a completion; `events`: lists of those that are ready together. Throws if the answer fails or is
 * incomplete; then no `[DONE]` was sent.
 */
export async function streamCompletion(
  events: AsyncIterable<readonly AskResponse[]>,
  request: CompletionRequest,
  createdAt: number,
  stream: EventStream,
): Promise<void> {
  let id = 'chatcmpl-';
  let text = '';
  const citations: AskResponse[] = [];
  let waiting: ToolCallUpdate[] = [];
  let usage: TokenUsage | undefined;
  let done: AnswerDone | undefined;
  /** Sends a chunk with these choices, the text of a list; `extra`: the text of further members, each after a comma. */
  const send = (choices: string, extra = request.includeUsage ? ',"usage":null' : '') => {
    const head = JSON.stringify({ id, object: 'chat.completion.chunk', created: createdAt, model: request.model });
    return stream.event(undefined, `${head.slice(0, -1)},"choices":${choices}${extra}}`);
  };
  const choice = (delta: string, reason: string | null = null) =>
    `[{"index":0,"delta":${delta},"logprobs":null,"finish_reason":${JSON.stringify(reason)}}]`;
  for await (const ready of events) {
    let behind: Promise<void> | undefined;
    for (const response of ready) {
      const { event } = response;
      switch (event.case) {
        case 'started':
          id = `chatcmpl-${event.value.answerId}`;
          behind = send(choice('{"role":"assistant","content":"","refusal":null}'));
          break;
        case 'textDelta':
          if (text.length <= maxAnswerLength) text += event.value.text;
          behind = send(choice(formOf(response, 'openai delta', toDeltaText)));
          break;
        case 'reset':
          if (text !== '') throw takenBack(event.value.reason);
          citations.length = 0;
          break;
        case 'citation':
          citations.push(response);
          break;
        case 'usage':
          usage = event.value;
          break;
        case 'done':
          done = event.value;
          break;
        case 'toolCall':
          waiting = waitingFor(waiting, event.value);
          break;
        case 'sources':
        case 'stage':
        case 'handover':
        case 'clarification':
        case 'suggestions':
        case 'verdicts':
        case 'prompt':
        case undefined:
          break;
        default:
          event satisfies never;
      }
    }
    if (behind !== undefined) await behind;
  }
  const shown = citations.map((response) => formOf(response, citationForm, toCitationText)).join(',');
  const verdict = {
    ...approvalsOf(waiting),
    ...verdictOf(done),
    ...(request.warnings.length > 0 ? { warnings: request.warnings } : {}),
    ...(request.includeUsage ? { usage: null } : {}),
  };
  const last = JSON.stringify(verdict).slice(1, -1);
  const cited = citations.flatMap(({ event }) => (event.case === 'citation' ? [event.value] : []));
  const annotations = annotationsOf(text, cited);
  const delta = annotations.length === 0 ? '{}' : JSON.stringify({ annotations });
  await send(choice(delta, finishReason(done)), `,"citations":[${shown}]${last === '' ? '' : `,${last}`}`);
  if (request.includeUsage) await send('[]', `,"usage":${JSON.stringify(toUsage(usage))}`);
  await stream.event(undefined, '[DONE]');
}

/** Most calls of one answer that wait for approval. */
const maxWaiting = 16;

function waitingFor(known: ToolCallUpdate[], update: ToolCallUpdate): ToolCallUpdate[] {
  const others = known.filter(({ callId }) => callId !== update.callId);
  const waits = update.status === ToolCallStatus.NEEDS_APPROVAL && others.length < maxWaiting;
  return waits ? [...others, update] : others;
}

/** Calls of tools that the caller may approve or decline by `tool_decision` of its next request. */
function approvalsOf(waiting: readonly ToolCallUpdate[]): object {
  return waiting.length > 0 ? { tool_approvals: waiting.map(toolCallToJson) } : {};
}

function toDeltaText({ event }: AskResponse): string {
  return event.case === 'textDelta' ? JSON.stringify({ content: event.value.text }) : '{}';
}

/** What was found about an answer; clients that know the plain wire only read past these fields. */
export function verdictOf(done: AnswerDone | undefined): object {
  if (done === undefined) return {};
  const claims = done.unsupportedClaims.map(unsupportedClaimToJson);
  const defects = defectsToJson(done.defects);
  return {
    verified: done.verified,
    ...(claims.length > 0 ? { unsupported_claims: claims } : {}),
    ...(defects.length > 0 ? { defects } : {}),
  };
}

export function finishReason(done: AnswerDone | undefined): string {
  switch (done?.outcome) {
    case undefined:
      throw internal(new Error('the answer ended without its last event'));
    case AnswerOutcome.LENGTH:
      return 'length';
    case AnswerOutcome.FILTERED:
      return 'content_filter';
    case AnswerOutcome.TRUNCATED:
      throw rpcError(
        Code.Unavailable,
        ErrorReason.DEPENDENCY_UNAVAILABLE,
        'the model ended in the middle of its answer: ask again',
        { metadata: { dependency: 'model' } },
      );
    default:
      return 'stop';
  }
}

/** The error of an answer that was taken back: these wires cannot retract text, and wrong text must not remain. */
export function takenBack(reason: string) {
  return rpcError(
    Code.Unavailable,
    ErrorReason.DEPENDENCY_UNAVAILABLE,
    `the answer so far is void (${reason}): ask again`,
    { metadata: { dependency: 'model' } },
  );
}
