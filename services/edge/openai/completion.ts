import { Code } from '@connectrpc/connect';
import type { AskResponse } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { type AnswerDone, AnswerOutcome, type Citation } from '#gen/ragmesh/common/v1/answer_pb.ts';
import type { TokenUsage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { internal, rpcError, tooLarge } from '#kit/base/errors.ts';
import type { EventStream } from '../http/event-stream.ts';
import { citationToJson, unsupportedClaimToJson } from '../sse/answer-json.ts';
import type { CompletionRequest } from './request.ts';
import { toUsage } from './usage.ts';

/** Longest answer that is held whole, in UTF-16 code units. */
const maxAnswerLength = 4 << 20;

/** Returns an answer as one completion. Throws if the answer is incomplete. */
export async function toCompletion(events: AsyncIterable<AskResponse>, request: CompletionRequest, createdAt: number) {
  let content = '';
  let citations: Citation[] = [];
  let usage: TokenUsage | undefined;
  let done: AnswerDone | undefined;
  for await (const { event } of events) {
    if (event.case === 'textDelta') content += event.value.text;
    else if (event.case === 'citation') citations.push(event.value);
    else if (event.case === 'usage') usage = event.value;
    else if (event.case === 'done') done = event.value;
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
        message: { role: 'assistant', content, refusal: null, citations: citations.map(citationToJson) },
        logprobs: null,
        finish_reason: finishReason(done),
      },
    ],
    usage: toUsage(usage),
    ...verdictOf(done),
    ...(request.warnings.length > 0 ? { warnings: request.warnings } : {}),
  };
}

/** Streams an answer as chunks of a completion. Throws if the answer fails or is incomplete; then no `[DONE]` was sent. */
export async function streamCompletion(
  events: AsyncIterable<AskResponse>,
  request: CompletionRequest,
  createdAt: number,
  stream: EventStream,
): Promise<void> {
  let id = 'chatcmpl-';
  let textSent = false;
  const citations: Citation[] = [];
  let usage: TokenUsage | undefined;
  let done: AnswerDone | undefined;
  const send = (choices: unknown[], extra: object = {}) =>
    stream.event(
      undefined,
      JSON.stringify({
        id,
        object: 'chat.completion.chunk',
        created: createdAt,
        model: request.model,
        choices,
        ...(request.includeUsage ? { usage: null } : {}),
        ...extra,
      }),
    );
  const choice = (delta: object, reason: string | null = null) => [
    { index: 0, delta, logprobs: null, finish_reason: reason },
  ];
  for await (const { event } of events) {
    switch (event.case) {
      case 'started':
        id = `chatcmpl-${event.value.answerId}`;
        await send(choice({ role: 'assistant', content: '', refusal: null }));
        break;
      case 'textDelta':
        textSent = true;
        await send(choice({ content: event.value.text }));
        break;
      case 'reset':
        if (textSent) throw takenBack(event.value.reason);
        citations.length = 0;
        break;
      case 'citation':
        citations.push(event.value);
        break;
      case 'usage':
        usage = event.value;
        break;
      case 'done':
        done = event.value;
        break;
      case 'sources':
      case 'stage':
      case undefined:
        break;
      default:
        event satisfies never;
    }
  }
  await send(choice({}, finishReason(done)), {
    citations: citations.map(citationToJson),
    ...verdictOf(done),
    ...(request.warnings.length > 0 ? { warnings: request.warnings } : {}),
  });
  if (request.includeUsage) await send([], { usage: toUsage(usage) });
  await stream.event(undefined, '[DONE]');
}

// Clients that know the plain wire only read past these fields.
function verdictOf(done: AnswerDone | undefined): object {
  if (done === undefined) return {};
  const claims = done.unsupportedClaims.map(unsupportedClaimToJson);
  return { verified: done.verified, ...(claims.length > 0 ? { unsupported_claims: claims } : {}) };
}

function finishReason(done: AnswerDone | undefined): string {
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

// This protocol cannot retract text, and wrong text must not remain.
function takenBack(reason: string) {
  return rpcError(
    Code.Unavailable,
    ErrorReason.DEPENDENCY_UNAVAILABLE,
    `the answer so far is void (${reason}): ask again`,
    { metadata: { dependency: 'model' } },
  );
}
