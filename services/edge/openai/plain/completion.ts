import type { GenerateResponse, ToolCallDelta } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { tooLarge } from '#kit/base/errors.ts';
import { inLists } from '#kit/rpc/messages/ready-messages.ts';
import type { EventStream } from '../../http/event-stream.ts';
import { toUsage } from '../usage.ts';
import { answeredBy, type Course, finishReasonOf, follow, takenBack, toExtension } from './generation.ts';
import type { PlainRequest } from './request.ts';

/** Longest completion that is held whole, in UTF-16 code units of text, reasoning and arguments. */
const maxCompletionLength = 4 << 20;

/** What a completion is known by. */
export interface Label {
  id: string;
  /** Seconds since 1970. */
  createdAt: number;
  /** Whether a completion that a content filter refused before its first word is an error. */
  filteredIsError: boolean;
}

/** Returns a generation as one completion, and the headers of its response. Throws if it is incomplete. */
export async function toPlainCompletion(
  events: AsyncIterable<GenerateResponse>,
  request: PlainRequest,
  { id, createdAt, filteredIsError }: Label,
) {
  const course: Course = { started: undefined, usage: undefined, done: undefined };
  let written = nothing();
  for await (const ready of inLists(events)) {
    for (const response of ready) {
      if (follow(course, response)) continue;
      if (response.event.case === 'reset') written = nothing();
      else addContent(written, response);
    }
  }
  const { content, reasoning, calls, length } = written;
  const finishReason = finishReasonOf(course, filteredIsError && length === 0);
  const toolCalls = calls.filter((call) => call !== undefined);
  const completion = {
    id,
    object: 'chat.completion',
    created: createdAt,
    model: course.started?.model || request.model,
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: content === '' && toolCalls.length > 0 ? null : content,
          refusal: null,
          ...(reasoning === '' ? {} : { reasoning_content: reasoning }),
          ...(toolCalls.length === 0 ? {} : { tool_calls: toolCalls }),
        },
        logprobs: null,
        finish_reason: finishReason,
      },
    ],
    usage: toUsage(course.usage),
    ragmesh: toExtension(course),
    ...warningsOf(request, course),
  };
  return { completion, headers: answeredBy(course) };
}

/** What a model has written so far. */
interface Written {
  content: string;
  reasoning: string;
  calls: ToolCall[];
  /** In UTF-16 code units of all three. */
  length: number;
}

const nothing = (): Written => ({ content: '', reasoning: '', calls: [], length: 0 });

function addContent(written: Written, { event }: GenerateResponse): void {
  if (event.case === 'textDelta') {
    written.content += event.value.text;
    written.length += event.value.text.length;
  } else if (event.case === 'reasoningDelta') {
    written.reasoning += event.value.text;
    written.length += event.value.text.length;
  } else if (event.case === 'toolCallDelta') {
    addToCall(written.calls, event.value);
    written.length += event.value.argumentsJson.length;
  }
  if (written.length > maxCompletionLength) throw tooLarge('the completion', maxCompletionLength);
}

interface ToolCall {
  id: string;
  type: 'function';
  function: { name: string; arguments: string };
  extra_content?: unknown;
}

/** Calls of one message. The gateway's contract allows no more. */
const maxCallCount = 128;

function addToCall(calls: ToolCall[], { index, id, name, argumentsJson, extraContentJson }: ToolCallDelta): void {
  if (index >= maxCallCount) throw tooLarge('the list of tool calls', maxCallCount);
  calls[index] ??= { id: '', type: 'function', function: { name: '', arguments: '' } };
  const call = calls[index];
  call.id ||= id;
  call.function.name ||= name;
  call.function.arguments += argumentsJson;
  if (extraContentJson !== '') call.extra_content = JSON.parse(extraContentJson);
}

/**
 * Streams a generation as chunks of a completion. Nothing is sent before its first word, so that what fails until then is an
 * HTTP status. Throws if it fails or is incomplete; then neither a reason to finish nor `[DONE]` was sent.
 */
export async function streamPlainCompletion(
  events: AsyncIterable<GenerateResponse>,
  request: PlainRequest,
  { id, createdAt, filteredIsError }: Label,
  stream: EventStream,
): Promise<void> {
  const course: Course = { started: undefined, usage: undefined, done: undefined };
  // All chunks are alike but for the delta. The model is known with the first of them.
  let label = '';
  let head = '';
  const noUsage = request.includeUsage ? ',"usage":null' : '';
  const tail = `,"logprobs":null,"finish_reason":null}]${noUsage}}`;
  let opened = false;
  const send = (delta: string) => {
    if (!opened) {
      opened = true;
      const model = course.started?.model || request.model;
      label = JSON.stringify({ id, object: 'chat.completion.chunk', created: createdAt, model });
      head = `${label.slice(0, -1)},"choices":[{"index":0,"delta":`;
      stream.setHeaders(answeredBy(course));
      stream.event(undefined, `${head}{"role":"assistant","content":"","refusal":null}${tail}`)?.catch(() => {});
    }
    return stream.event(undefined, head + delta + tail);
  };
  for await (const response of events) {
    const { event } = response;
    if (follow(course, response)) continue;
    let behind: Promise<void> | undefined;
    switch (event.case) {
      case 'textDelta':
        behind = send(`{"content":${JSON.stringify(event.value.text)}}`);
        break;
      case 'reasoningDelta':
        behind = send(`{"reasoning_content":${JSON.stringify(event.value.text)}}`);
        break;
      case 'toolCallDelta':
        behind = send(JSON.stringify({ tool_calls: [toCallDelta(event.value)] }));
        break;
      case 'reset':
        if (opened) throw takenBack(event.value.reason, course);
        break;
    }
    if (behind !== undefined) await behind;
  }
  const finishReason = finishReasonOf(course, filteredIsError && !opened);
  if (!opened) await send('{"content":""}');
  const extra = JSON.stringify({ ragmesh: toExtension(course), ...warningsOf(request, course) }).slice(1);
  await stream.event(undefined, `${head}{},"logprobs":null,"finish_reason":"${finishReason}"}]${noUsage},${extra}`);
  if (request.includeUsage) {
    await stream.event(
      undefined,
      `${label.slice(0, -1)},"choices":[],"usage":${JSON.stringify(toUsage(course.usage))}}`,
    );
  }
  await stream.event(undefined, '[DONE]');
}

function toCallDelta({ index, id, name, argumentsJson, extraContentJson }: ToolCallDelta) {
  const extra = extraContentJson === '' ? {} : { extra_content: JSON.parse(extraContentJson) as unknown };
  const isFirst = id !== '' || name !== '';
  return isFirst
    ? { index, id, type: 'function', function: { name, arguments: argumentsJson }, ...extra }
    : { index, function: { arguments: argumentsJson }, ...extra };
}

function warningsOf(request: PlainRequest, { started }: Course) {
  const warnings = [...request.warnings, ...(started?.warnings ?? [])];
  return warnings.length > 0 ? { warnings } : {};
}
