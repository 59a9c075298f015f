import type { MessageInitShape } from '@bufbuild/protobuf';
import type { GenerateRequestSchema, GenerateResponse } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { type Course, finishReasonOf, follow, takenBack, toExtension } from '../openai/plain/generation.ts';
import { createBlocks } from './blocks.ts';
import { countPromptTokens } from './count-tokens.ts';
import { type MessageEvent, messageStart, type StopReason, toMessageUsage } from './message.ts';

/** A generation that becomes a message. */
export interface Generation {
  id: string;
  request: MessageInitShape<typeof GenerateRequestSchema>;
  events: AsyncIterable<GenerateResponse>;
  /** What is known of it so far. */
  course: Course;
}

/**
 * Returns the events of a message that a model writes. The first one comes with the first word, so that what fails until then is an HTTP
 * status. Throws if the generation fails or is incomplete.
 */
export async function* generationEvents(generation: Generation): AsyncGenerator<MessageEvent> {
  const { id, request, events, course } = generation;
  let blocks = createBlocks({ cites: false });
  let opened = false;
  const open = (): MessageEvent[] => {
    if (opened) return [];
    opened = true;
    // The provider's own count, if it came first; otherwise an estimate, which the end replaces.
    const usage =
      course.usage === undefined
        ? { ...toMessageUsage(undefined), input_tokens: countPromptTokens(request) }
        : { ...toMessageUsage(course.usage), output_tokens: 0 };
    return [messageStart({ id, model: course.started?.model || request.model || '', usage })];
  };
  for await (const response of events) {
    const { event } = response;
    if (follow(course, response)) continue;
    if (event.case === 'reset') {
      blocks = createBlocks({ cites: false });
      yield { type: 'void', error: takenBack(event.value.reason, course) };
      continue;
    }
    yield* open();
    if (event.case === 'textDelta') yield* blocks.text(event.value.text);
    else if (event.case === 'reasoningDelta') yield* blocks.thinking(event.value.text);
    else if (event.case === 'toolCallDelta') yield* blocks.call(event.value);
  }
  const delta = stopOf(course, request.stop ?? []);
  yield* open();
  yield* blocks.end();
  yield { type: 'message_delta', delta, usage: toMessageUsage(course.usage), ragmesh: extensionOf(course) };
  yield { type: 'message_stop' };
}

function stopOf(course: Course, stops: readonly string[]): { stop_reason: StopReason; stop_sequence: string | null } {
  const reason = finishReasonOf(course);
  // The gateway does not say which text ended the message: only one is known.
  if (reason === 'stop' && course.done?.providerReason === 'stop_sequence') {
    return { stop_reason: 'stop_sequence', stop_sequence: (stops.length === 1 && stops[0]) || null };
  }
  return { stop_reason: stopReasons[reason] ?? 'end_turn', stop_sequence: null };
}

const stopReasons: Readonly<Record<string, StopReason>> = {
  stop: 'end_turn',
  length: 'max_tokens',
  tool_calls: 'tool_use',
  content_filter: 'refusal',
};

function extensionOf(course: Course): object {
  const warnings = course.started?.warnings ?? [];
  return { ...toExtension(course), ...(warnings.length > 0 ? { warnings } : {}) };
}
