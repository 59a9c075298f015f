import type { TokenUsage } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { EventStream } from '../../http/event-stream.ts';
import type { ResponseEvent } from './items.ts';
import type { SentResponse } from './schemas.ts';

// A response is one series of events, of which the last has it whole. A stream sends them; a whole reply is the last one.

/** An event, or the news that all events so far are void. */
export type ResponseStep = ResponseEvent | { type: 'void'; error: Error };

/** What is known of a response before its end. */
export interface ResponseHead {
  id: string;
  createdAt: number;
  model: string;
  body: SentResponse;
  /** Whether it is kept, for `previous_response_id`. */
  isKept: boolean;
}

/** How a response ended. */
export interface ResponseEnd {
  output: readonly Record<string, unknown>[];
  usage: TokenUsage | undefined;
  /** Why it is not whole; `undefined`: it is. */
  incomplete: 'max_output_tokens' | 'content_filter' | undefined;
  /** Members beyond OpenAI's. */
  extra: object;
}

/** Returns the first events. */
export function responseStart(head: ResponseHead): ResponseEvent[] {
  const response = toResponse(head, 'in_progress');
  return [
    { type: 'response.created', response },
    { type: 'response.in_progress', response },
  ];
}

/** Returns the last event, which has the whole response. */
export function responseEnd(head: ResponseHead, { output, usage, incomplete, extra }: ResponseEnd): ResponseEvent {
  const status = incomplete === undefined ? 'completed' : 'incomplete';
  const response = {
    ...toResponse(head, status),
    ...(incomplete === undefined ? {} : { incomplete_details: { reason: incomplete } }),
    output,
    usage: toResponseUsage(usage),
    ...extra,
  };
  return { type: `response.${status}`, response };
}

function toResponse({ id, createdAt, model, body, isKept }: ResponseHead, status: string): object {
  const { tool_choice: choice } = body;
  return {
    id,
    object: 'response',
    created_at: createdAt,
    status,
    background: false,
    error: null,
    incomplete_details: null,
    instructions: body.instructions ?? null,
    max_output_tokens: body.max_output_tokens ?? null,
    metadata: body.metadata ?? {},
    model,
    output: [],
    parallel_tool_calls: body.parallel_tool_calls ?? true,
    previous_response_id: body.previous_response_id ?? null,
    reasoning: { effort: body.reasoning?.effort ?? null, summary: null },
    store: isKept,
    temperature: body.temperature ?? null,
    text: { format: { type: body.text?.format?.type ?? 'text' } },
    tool_choice: typeof choice === 'object' && choice !== null ? choice : 'auto',
    tools: (body.tools ?? []).map(({ parameters, ...tool }) => ({
      ...tool,
      parameters: parameters ? (JSON.parse(parameters) as unknown) : null,
    })),
    top_p: body.top_p ?? null,
    truncation: 'disabled',
    usage: null,
  };
}

function toResponseUsage(usage: TokenUsage | undefined) {
  const input = Number(usage?.promptTokens ?? 0n);
  const output = Number(usage?.completionTokens ?? 0n);
  return {
    input_tokens: input,
    input_tokens_details: {
      cached_tokens: Number(usage?.cachedPromptTokens ?? 0n),
      cache_write_tokens: Number(usage?.cacheWriteTokens ?? 0n),
    },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: Number(usage?.reasoningTokens ?? 0n) },
    total_tokens: input + output,
  };
}

/** Sends the events of a response, numbered. Throws if what was sent is void: this wire cannot take it back. */
export async function sendResponse(
  steps: AsyncIterable<ResponseStep>,
  stream: EventStream,
  headers: () => Readonly<Record<string, string>>,
): Promise<void> {
  let number = 0;
  for await (const step of steps) {
    if (step.type === 'void') {
      if (stream.opened()) throw step.error;
      continue;
    }
    stream.setHeaders(headers());
    await stream.event(step.type, JSON.stringify({ ...step, sequence_number: number++ }));
  }
}

/** Returns the response that the last event has. */
export async function toWholeResponse(steps: AsyncIterable<ResponseStep>): Promise<unknown> {
  let response: unknown;
  for await (const step of steps) if ('response' in step) response = step.response;
  return response;
}
