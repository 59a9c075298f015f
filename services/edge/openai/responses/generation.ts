import type { GenerateResponse } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { type Course, finishReasonOf, follow, takenBack, toExtension } from '../plain/generation.ts';
import { createItems } from './items.ts';
import { type ResponseHead, type ResponseStep, responseEnd, responseStart } from './response.ts';

/** A generation that becomes a response. */
export interface Generation {
  head: ResponseHead;
  events: AsyncIterable<GenerateResponse>;
  /** What is known of it so far. */
  course: Course;
  filteredIsError: boolean;
}

/**
 * Returns the events of a response that a model writes. The first one comes with the first word, so that what fails until then is an HTTP
 * status. Throws if the generation fails or is incomplete.
 */
export async function* generationSteps(generation: Generation): AsyncGenerator<ResponseStep> {
  const { events, course, filteredIsError } = generation;
  let { head } = generation;
  let items = createItems(head.id);
  let opened = false;
  const open = () => {
    if (opened) return [];
    opened = true;
    head = { ...head, model: course.started?.model || head.model };
    return responseStart(head);
  };
  for await (const response of events) {
    const { event } = response;
    if (follow(course, response)) continue;
    if (event.case === 'reset') {
      items = createItems(head.id);
      yield { type: 'void', error: takenBack(event.value.reason, course) };
      continue;
    }
    yield* open();
    if (event.case === 'textDelta') yield* items.text(event.value.text);
    else if (event.case === 'reasoningDelta') yield* items.reasoning(event.value.text);
    else if (event.case === 'toolCallDelta') yield* items.call(event.value);
  }
  const reason = finishReasonOf(course, filteredIsError && !opened);
  yield* open();
  yield* items.end([]);
  const warnings = course.started?.warnings ?? [];
  yield responseEnd(head, {
    output: items.output(),
    usage: course.usage,
    incomplete: incompleteBy[reason],
    extra: { ragmesh: toExtension(course), ...(warnings.length > 0 ? { warnings } : {}) },
  });
}

const incompleteBy: Readonly<Record<string, 'max_output_tokens' | 'content_filter'>> = {
  length: 'max_output_tokens',
  content_filter: 'content_filter',
};
