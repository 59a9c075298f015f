import { type Client, Code } from '@connectrpc/connect';
import type { AskResponse, ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import type { TokenUsage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { internal, rpcError } from '#kit/base/errors.ts';
import { isGone } from '#kit/http/server/sender.ts';
import { workFor } from '#kit/http/server/work.ts';
import { actAs } from '#kit/rpc/context.ts';
import { formOf } from '#kit/rpc/messages/shared-message.ts';
import { sendError, toErrorBody } from '../http/error.ts';
import { createEventStream, type EventStream, frameOf } from '../http/event-stream.ts';
import { fields, flag, list, number, text, word } from '../http/fields.ts';
import { readJsonBody } from '../http/json-body.ts';
import { type JsonRoute, type JsonRouteDeps, noteFailure } from '../http/json-route.ts';
import { given, parseFields } from '../http/parse-fields.ts';
import { joinTextDeltas } from '../rpc/text-deltas.ts';
import {
  citationForm,
  citationToJson,
  doneToJsonText,
  handoverToJson,
  languagesByWord,
  sourcesToJson,
  toCitationText,
  toolCallToJson,
  verdictsToJson,
} from './answer-json.ts';

/** The body of `POST /v1/chat/stream`. */
export const questionSchema = fields({
  query: text({ min: 1, max: 4096 }),
  session_id: text({ max: 64 }).nullish(),
  create_session: flag.nullish(),
  tool_decision: fields({ call_id: text({ min: 1, max: 64 }), approved: flag }).nullish(),
  top_k: number({ min: 1, max: 50, whole: true }).nullish(),
  temperature: number({ min: 0, max: 2 }).nullish(),
  tenant_id: text({ max: 64 }).nullish(),
  corpora: list(text({ min: 1, max: 64 }), { max: 32 }).nullish(),
  language: word(languagesByWord).nullish(),
});

/**
 * `POST /v1/chat/stream`: a question as JSON, its answer as server-sent events: `sources`, `message` {content}, `citation`,
 * `verdict` {sentences}, `reset` {reason}, `done`. A failure before the first event is an HTTP status with JSON; after it, an `error` event.
 */
export function createChatStream(chat: Pick<Client<typeof ChatService>, 'ask'>, deps: JsonRouteDeps): JsonRoute {
  const { admit, running, limits } = deps;
  return async (request, response) => {
    const { signal, abort } = workFor(response);
    const stream = createEventStream(response, limits);
    let release: (() => void) | undefined;
    try {
      const { principal, token } = await admit(request, signal);
      release = await running.begin(principal);
      const question = parseFields(questionSchema, await readJsonBody(request, limits));
      if (typeof question.tenant_id === 'string' && question.tenant_id !== principal.tenant) {
        throw rpcError(
          Code.PermissionDenied,
          ErrorReason.TENANT_MISMATCH,
          'tenant_id is not the tenant of your credentials: leave it out, or use credentials of that tenant',
        );
      }
      const events = chat.ask(
        {
          question: question.query,
          sessionId: question.session_id ?? '',
          createSession: question.create_session ?? false,
          topK: question.top_k ?? 0,
          corpora: question.corpora ?? [],
          ...(question.tool_decision && {
            toolDecision: { callId: question.tool_decision.call_id, approved: question.tool_decision.approved },
          }),
          ...given('temperature', question.temperature),
          ...given('language', question.language),
        },
        actAs(token, { signal }),
      );
      await relay(joinTextDeltas(events), stream);
      await stream.end();
    } catch (error) {
      abort();
      if (isGone(response)) return;
      noteFailure(deps, '/v1/chat/stream', request, error);
      if (!stream.opened()) return sendError(response, error);
      await tellInside(stream, error);
    } finally {
      release?.();
      stream.close();
    }
  };
}

async function relay(events: AsyncIterable<readonly AskResponse[]>, stream: EventStream): Promise<void> {
  const citations: AskResponse[] = [];
  let usage: TokenUsage | undefined;
  for await (const ready of events) {
    let behind: Promise<void> | undefined;
    for (const response of ready) {
      const { event } = response;
      switch (event.case) {
        case 'sources':
        case 'textDelta':
          behind = stream.send(formOf(response, 'sse', toFrame));
          break;
        case 'reset':
          citations.length = 0;
          behind = stream.send(formOf(response, 'sse', toFrame));
          break;
        case 'citation':
          citations.push(response);
          behind = stream.send(formOf(response, 'sse', toFrame));
          break;
        case 'usage':
          usage = event.value;
          break;
        case 'done': {
          const shown = citations.map((citation) => formOf(citation, citationForm, toCitationText));
          await stream.event('done', doneToJsonText(event.value, shown, usage));
          // The client has its answer now, whatever comes after; the kit's client reads the stream to its end.
          return;
        }
        case 'handover':
        case 'clarification':
        case 'suggestions':
        case 'toolCall':
        case 'verdicts':
          behind = stream.send(formOf(response, 'sse', toFrame));
          break;
        case 'started':
        case 'stage':
        case 'prompt':
        case undefined:
          break;
        default:
          event satisfies never;
      }
    }
    if (behind !== undefined) await behind;
  }
  throw internal(new Error('the answer ended without its last event'));
}

function toFrame({ event }: AskResponse): Uint8Array {
  switch (event.case) {
    case 'sources':
      return frameOf('sources', JSON.stringify(sourcesToJson(event.value)));
    case 'textDelta':
      return frameOf('message', JSON.stringify({ content: event.value.text }));
    case 'reset':
      return frameOf('reset', JSON.stringify({ reason: event.value.reason }));
    case 'citation':
      return frameOf('citation', JSON.stringify(citationToJson(event.value)));
    case 'handover':
      return frameOf('handover', JSON.stringify(handoverToJson(event.value)));
    case 'clarification':
      return frameOf('clarification', JSON.stringify({ question: event.value.question, options: event.value.options }));
    case 'suggestions':
      return frameOf('suggestions', JSON.stringify({ questions: event.value.questions }));
    case 'toolCall':
      return frameOf('tool_call', JSON.stringify(toolCallToJson(event.value)));
    case 'verdicts':
      return frameOf('verdict', JSON.stringify(verdictsToJson(event.value)));
    default:
      throw internal(new Error(`${event.case} is no event of this stream`));
  }
}

async function tellInside(stream: EventStream, error: unknown): Promise<void> {
  try {
    await stream.event('error', JSON.stringify(toErrorBody(error)));
    await stream.end();
  } catch {
    // The client left while the error was sent to it.
  }
}
