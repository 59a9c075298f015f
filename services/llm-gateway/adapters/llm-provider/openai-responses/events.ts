import { Outcome } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { isTokenCount, toReportedCount } from '../../../accounting/token-count.ts';
import { isFiltered, readFailure, toProviderError } from '../../../providers/error-from-wire.ts';
import type { ProviderEvent, ProviderUsage } from '../../../providers/llm-provider.ts';
import { unreadable } from '../../../providers/wires/chat-content.ts';

/** Fields of the events of a Responses stream that the reader uses. It ignores all other events. */
export interface ResponsesEvent {
  type: string;
  output_index?: number;
  item_id?: string;
  summary_index?: number;
  delta?: unknown;
  arguments?: string;
  item?: ResponsesItem;
  response?: ResponsesObject;
}

interface ResponsesItem {
  id?: string;
  type?: string;
  call_id?: string;
  name?: string;
  arguments?: string;
  content?: { type?: string; text?: string; refusal?: string }[] | null;
  summary?: { text?: string }[] | null;
}

/** A response object: the whole of it without streaming, or its part in an event. */
export interface ResponsesObject {
  model?: string;
  status?: string;
  output?: ResponsesItem[] | null;
  error?: { code?: string | null; message?: string } | null;
  incomplete_details?: { reason?: string } | null;
  usage?: ResponsesUsage | null;
}

interface ResponsesUsage {
  input_tokens?: number | null;
  input_tokens_details?: { cached_tokens?: number | null; cache_write_tokens?: number | null } | null;
  output_tokens?: number | null;
  output_tokens_details?: { reasoning_tokens?: number | null } | null;
}

/** Refusals that arrive as the error of a failed response. */
const policyCodes = new Set(['bio_policy', 'misalignment_policy_violation', 'image_content_policy_violation']);

/** Yields the events of a response from a server that does not stream. */
export function* eventsOfResponse(response: ResponsesObject): Iterable<ResponsesEvent> {
  yield { type: 'response.created', response };
  for (const [place, item] of (response.output ?? []).entries()) {
    for (const { text } of item.summary ?? []) yield { type: 'response.reasoning_summary_text.delta', delta: text };
    for (const { text, refusal } of item.content ?? []) {
      if (refusal !== undefined) yield { type: 'response.refusal.delta', delta: refusal };
      else if (item.type === 'message') yield { type: 'response.output_text.delta', delta: text };
    }
    yield { type: 'response.output_item.done', output_index: place, item };
  }
  yield { type: `response.${response.error ? 'failed' : response.status}`, response };
}

/**
 * Creates a reader of the events of one response, in order. Only completed, incomplete and failed end it. `maxOutputTokens`: the limit of
 * the request, 0 for none.
 */
export function createResponsesReader(
  model: string,
  warnings: readonly string[],
  maxOutputTokens: number,
): (event: ResponsesEvent) => Iterable<ProviderEvent> {
  let hasStarted = false;
  let hasRefused = false;
  const calls = createCalls();
  function* contentOf(event: ResponsesEvent): Iterable<ProviderEvent> {
    switch (event.type) {
      case 'response.refusal.delta':
        hasRefused = true;
        if (event.delta) yield { kind: 'text', text: textOf(event.delta) };
        break;
      case 'response.output_text.delta':
        if (event.delta) yield { kind: 'text', text: textOf(event.delta) };
        break;
      case 'response.reasoning_summary_part.added':
        // Parts of a summary are paragraphs.
        if ((event.summary_index ?? 0) > 0) yield { kind: 'reasoning', text: '\n\n' };
        break;
      case 'response.reasoning_summary_text.delta':
      case 'response.reasoning_text.delta':
        if (event.delta) yield { kind: 'reasoning', text: textOf(event.delta) };
    }
  }
  return function* (event) {
    const { type, response } = event;
    if (type === 'error') throw toProviderError(readFailure(event));
    if (!hasStarted) {
      hasStarted = true;
      yield { kind: 'started', model: response?.model || model, warnings };
    }
    switch (type) {
      case 'response.output_item.added':
      case 'response.output_item.done':
        if (event.item?.type !== 'function_call') break;
        yield* calls.open(event);
        // A server that does not stream arguments sends them with the item.
        if (event.item.arguments) yield* calls.whole(event, event.item.arguments);
        break;
      case 'response.function_call_arguments.delta':
        yield* calls.part(event, textOf(event.delta ?? ''));
        break;
      case 'response.function_call_arguments.done':
        yield* calls.whole(event, event.arguments ?? '');
        break;
      case 'response.completed':
      case 'response.incomplete':
        yield* usageOf(response);
        yield { kind: 'end', ...toEnd(type, response, { hasRefused, callCount: calls.count(), maxOutputTokens }) };
        break;
      case 'response.failed': {
        yield* usageOf(response);
        const failure = readFailure({ error: response?.error ?? {} });
        const code = response?.error?.code ?? '';
        if (!policyCodes.has(code) && !isFiltered(failure)) throw toProviderError(failure);
        yield { kind: 'end', outcome: Outcome.FILTERED, reason: code };
        break;
      }
      default:
        yield* contentOf(event);
    }
  };
}

/** Returns the text of a delta; throws a ProviderError if it is not one. */
function textOf(delta: unknown): string {
  if (typeof delta === 'string') return delta;
  throw unreadable(typeof delta);
}

/** The state of one function call. */
interface OpenCall {
  index: number;
  hasArguments: boolean;
  id: string;
  name: string;
  /** Types of the item's events that have arrived. */
  seen: Set<string>;
}

/**
 * Tracks calls by the index of their item in the output, or by its id if the server sends no index, and numbers them from 0. A server may
 * send one index for all items: another id, another name or the same event again then begins another call.
 */
function createCalls() {
  const open = new Map<number | string, OpenCall>();
  let count = 0;
  const placeOf = ({ output_index, item_id, item }: ResponsesEvent) => output_index ?? item_id ?? item?.id ?? 0;
  const openAt = (event: ResponsesEvent): OpenCall => {
    const call = { index: count++, hasArguments: false, id: '', name: '', seen: new Set<string>() };
    open.set(placeOf(event), call);
    return call;
  };
  const callOf = (event: ResponsesEvent) => open.get(placeOf(event)) ?? openAt(event);
  function* part(event: ResponsesEvent, argumentsJson: string): Iterable<ProviderEvent> {
    const call = callOf(event);
    if (argumentsJson === '') return;
    call.hasArguments = true;
    yield { kind: 'tool-call', index: call.index, id: '', name: '', argumentsJson };
  }
  return {
    count: () => count,
    part,
    *open(event: ResponsesEvent): Iterable<ProviderEvent> {
      const { call_id: id = '', name = '' } = event.item ?? {};
      const known = open.get(placeOf(event));
      if (known !== undefined && !isAnother(known, event.type, id, name)) {
        known.seen.add(event.type);
        return;
      }
      const call = openAt(event);
      Object.assign(call, { id, name });
      call.seen.add(event.type);
      yield { kind: 'tool-call', index: call.index, id, name, argumentsJson: '' };
    },
    *whole(event: ResponsesEvent, argumentsJson: string): Iterable<ProviderEvent> {
      if (!callOf(event).hasArguments) yield* part(event, argumentsJson);
    },
  };
}

function isAnother(call: OpenCall, type: string, id: string, name: string): boolean {
  const isOther = (before: string, now: string) => before !== '' && now !== '' && before !== now;
  return isOther(call.id, id) || isOther(call.name, name) || call.seen.has(type);
}

interface Seen {
  hasRefused: boolean;
  callCount: number;
  maxOutputTokens: number;
}

function toEnd(type: string, response: ResponsesObject | undefined, { hasRefused, callCount, maxOutputTokens }: Seen) {
  if (type === 'response.completed') {
    // llama.cpp reports an answer as completed that its limit has cut.
    const outputTokens = response?.usage?.output_tokens;
    const isFull = maxOutputTokens > 0 && isTokenCount(outputTokens) && outputTokens >= maxOutputTokens;
    if (isFull) return { outcome: Outcome.LENGTH, reason: 'completed at max_output_tokens' };
    if (hasRefused) return { outcome: Outcome.FILTERED, reason: 'refusal' };
    return { outcome: callCount > 0 ? Outcome.TOOL_CALLS : Outcome.COMPLETE, reason: 'completed' };
  }
  const reason = response?.incomplete_details?.reason ?? 'incomplete';
  switch (reason) {
    case 'max_output_tokens':
    // The word in the vendor's example of the event.
    case 'max_tokens':
      return { outcome: Outcome.LENGTH, reason };
    case 'content_filter':
      return { outcome: Outcome.FILTERED, reason };
    default:
      return { outcome: Outcome.TRUNCATED, reason };
  }
}

/** Yields the usage. The input includes cached tokens, the output includes reasoning. */
function* usageOf(response: ResponsesObject | undefined): Iterable<ProviderEvent> {
  const counted = response?.usage;
  if (!counted) return;
  const usage: ProviderUsage = {
    promptTokens: toReportedCount(counted.input_tokens),
    completionTokens: toReportedCount(counted.output_tokens),
    cachedPromptTokens: toReportedCount(counted.input_tokens_details?.cached_tokens),
    cacheWriteTokens: toReportedCount(counted.input_tokens_details?.cache_write_tokens),
    reasoningTokens: toReportedCount(counted.output_tokens_details?.reasoning_tokens),
  };
  yield { kind: 'usage', usage };
}
