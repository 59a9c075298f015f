import type { AskResponse } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { type AnswerDone, type Citation, ToolCallStatus } from '#gen/ragmesh/common/v1/answer_pb.ts';
import type { TokenUsage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { citationToJson } from '../../sse/answer-json.ts';
import { annotationsOf } from '../answers/annotations.ts';
import { finishReason, takenBack, verdictOf } from '../answers/completion.ts';
import { createItems } from './items.ts';
import { responseIdOf } from './request.ts';
import { type ResponseHead, type ResponseStep, responseEnd, responseStart } from './response.ts';

/** A question whose answer becomes a response. */
export interface AnswerParts {
  head: Omit<ResponseHead, 'id' | 'isKept'>;
  warnings: readonly string[];
  events: AsyncIterable<AskResponse>;
}

/**
 * Returns the events of a response that answers from documents: markers of documents with an address are annotations, and a call of a tool that
 * waits for approval is an `mcp_approval_request`. Throws if the answer fails or is incomplete.
 */
export async function* answerSteps({ head: known, warnings, events }: AnswerParts): AsyncGenerator<ResponseStep> {
  let head: ResponseHead = { ...known, id: 'resp_', isKept: false };
  let items = createItems('');
  let text = '';
  let citations: Citation[] = [];
  let usage: TokenUsage | undefined;
  let done: AnswerDone | undefined;
  for await (const { event } of events) {
    switch (event.case) {
      case 'started': {
        const { sessionId, answerId } = event.value;
        head = { ...head, id: responseIdOf({ sessionId, answerId }), isKept: sessionId !== '' };
        items = createItems(answerId);
        yield* responseStart(head);
        break;
      }
      case 'textDelta':
        text += event.value.text;
        yield* items.text(event.value.text);
        break;
      case 'toolCall': {
        const { status, callId, tool, argumentsJson } = event.value;
        if (status !== ToolCallStatus.NEEDS_APPROVAL) break;
        const request = { name: tool, arguments: argumentsJson, server_label: 'ragmesh' };
        yield* items.add({ id: callId, type: 'mcp_approval_request', ...request });
        break;
      }
      case 'citation':
        citations.push(event.value);
        break;
      case 'reset':
        // Before the first word, nothing is void but sources.
        if (text !== '') yield { type: 'void', error: takenBack(event.value.reason) };
        if (text !== '') items = createItems(head.id);
        text = '';
        citations = [];
        break;
      case 'usage':
        usage = event.value;
        break;
      case 'done':
        done = event.value;
        break;
      default:
        break;
    }
  }
  // Throws if the answer is incomplete.
  const reason = finishReason(done);
  const annotations = annotationsOf(text, citations).map(({ type, url_citation: at }) => ({ type, ...at }));
  yield* items.end(annotations);
  yield responseEnd(head, {
    output: items.output(),
    usage,
    incomplete: reason === 'length' ? 'max_output_tokens' : reason === 'content_filter' ? 'content_filter' : undefined,
    extra: {
      citations: citations.map(citationToJson),
      ...verdictOf(done),
      ...(warnings.length > 0 ? { warnings } : {}),
    },
  });
}
