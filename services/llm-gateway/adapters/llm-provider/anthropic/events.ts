import { Outcome } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { isTokenCount, toReportedCount } from '../../../accounting/token-count.ts';
import { readFailure, toProviderError } from '../../../providers/error-from-wire.ts';
import type { ProviderEvent, ProviderUsage } from '../../../providers/llm-provider.ts';
import { unreadable } from '../../../providers/wires/chat-content.ts';

/** Fields of the events of a Messages stream that the reader uses. It ignores all other events. */
export interface AnthropicEvent {
  type: string;
  index?: number;
  message?: { model?: string; usage?: AnthropicUsage | null };
  content_block?: { type?: string; id?: string; name?: string; input?: unknown; text?: string; thinking?: string };
  delta?: {
    type?: string;
    text?: string;
    partial_json?: string;
    thinking?: string;
    stop_reason?: string | null | undefined;
    stop_details?: { category?: string | null } | null | undefined;
  };
  usage?: AnthropicUsage | null;
}

/** A response without streaming. */
export interface AnthropicMessage {
  type?: string;
  model?: string;
  content?: NonNullable<AnthropicEvent['content_block']>[] | null;
  stop_reason?: string | null;
  stop_details?: { category?: string | null } | null;
  usage?: AnthropicUsage | null;
}

/** Yields the events of a response from a server that does not stream. Throws a ProviderError for an error. */
export function* eventsOfMessage(message: AnthropicMessage): Iterable<AnthropicEvent> {
  if (message.type === 'error') throw toProviderError(readFailure(message));
  yield { type: 'message_start', message };
  for (const [index, block] of (message.content ?? []).entries()) {
    yield { type: 'content_block_start', index, content_block: block };
    yield { type: 'content_block_stop', index };
  }
  yield { type: 'message_delta', delta: { stop_reason: message.stop_reason, stop_details: message.stop_details } };
  yield { type: 'message_stop' };
}

interface AnthropicUsage {
  input_tokens?: number | null;
  output_tokens?: number | null;
  cache_read_input_tokens?: number | null;
  cache_creation_input_tokens?: number | null;
  output_tokens_details?: { thinking_tokens?: number | null } | null;
}

/**
 * Creates a reader of the events of one response, in order. Only message_stop ends it, with the reason from message_delta. `cutSpace` is
 * the white space that the request removed from the end of the partial answer: if the answer continues with it, it is not sent twice.
 */
export function createAnthropicReader(
  model: string,
  warnings: readonly string[],
  cutSpace: string,
): (event: AnthropicEvent) => Iterable<ProviderEvent> {
  let stopReason = '';
  let category = '';
  const counted = createCounter();
  const calls = createCalls();
  const withoutCutSpace = createSpaceFilter(cutSpace);
  function* text(value: unknown): Iterable<ProviderEvent> {
    if (value === undefined || value === null) return;
    if (typeof value !== 'string') throw unreadable(typeof value);
    const rest = withoutCutSpace(value);
    if (rest !== '') yield { kind: 'text', text: rest };
  }
  function* contentOfBlock(index: number, block: AnthropicEvent['content_block']): Iterable<ProviderEvent> {
    if (block?.type === 'tool_use') yield* calls.open(index, block);
    if (block?.type === 'text') yield* text(block.text);
    if (block?.type === 'thinking' && block.thinking) yield { kind: 'reasoning', text: block.thinking };
  }
  // Signatures and citations are useless without the blocks that they belong to.
  function* contentOfDelta(index: number, delta: AnthropicEvent['delta']): Iterable<ProviderEvent> {
    if (delta?.type === 'text_delta') yield* text(delta.text);
    if (delta?.type === 'thinking_delta' && delta.thinking) yield { kind: 'reasoning', text: delta.thinking };
    if (delta?.type === 'input_json_delta') yield* calls.part(index, delta.partial_json ?? '');
  }
  return function* (event) {
    const { type, index = 0, delta } = event;
    switch (type) {
      case 'message_start':
        yield { kind: 'started', model: event.message?.model || model, warnings };
        yield* counted(event.message?.usage);
        break;
      case 'content_block_start':
        yield* contentOfBlock(index, event.content_block);
        break;
      case 'content_block_delta':
        yield* contentOfDelta(index, delta);
        break;
      case 'content_block_stop':
        yield* calls.close(index);
        break;
      case 'message_delta':
        stopReason = delta?.stop_reason || stopReason;
        category = delta?.stop_details?.category || category;
        yield* counted(event.usage);
        break;
      case 'message_stop':
        yield {
          kind: 'end',
          outcome: toOutcome(stopReason),
          reason: category ? `${stopReason}: ${category}` : stopReason,
        };
    }
  };
}

/** Returns the outcome of a stop_reason; an unknown reason is never a success. */
function toOutcome(stopReason: string): Outcome {
  switch (stopReason) {
    case 'end_turn':
    case 'stop_sequence':
      return Outcome.COMPLETE;
    case 'max_tokens':
    case 'model_context_window_exceeded':
      return Outcome.LENGTH;
    case 'tool_use':
      return Outcome.TOOL_CALLS;
    case 'refusal':
      return Outcome.FILTERED;
    // "pause_turn": a server-side tool took too long, and the client must resume the turn. The gateway requests no such tools.
    default:
      return Outcome.TRUNCATED;
  }
}

/**
 * Creates a counter of usage. Counts are cumulative and only grow, so a compatible server's zero at the end does not undo its count at
 * the start. Tokens read from and written to the cache are outside of the input.
 */
function createCounter(): (usage: AnthropicUsage | null | undefined) => Iterable<ProviderEvent> {
  let input: number | undefined;
  let output: number | undefined;
  let read: number | undefined;
  let written: number | undefined;
  let thinking: number | undefined;
  // NaN, for a value that is not a count, replaces any count: the meter then estimates.
  const grown = (before: number | undefined, now: unknown) => {
    const count = toReportedCount(now);
    if (count === undefined) return before;
    return isTokenCount(count) ? Math.max(before ?? 0, count) : Number.NaN;
  };
  return function* (usage) {
    if (!usage) return;
    input = grown(input, usage.input_tokens);
    output = grown(output, usage.output_tokens);
    read = grown(read, usage.cache_read_input_tokens);
    written = grown(written, usage.cache_creation_input_tokens);
    thinking = grown(thinking, usage.output_tokens_details?.thinking_tokens);
    const total: ProviderUsage = {
      promptTokens: input === undefined ? undefined : input + (read ?? 0) + (written ?? 0),
      completionTokens: output,
      cachedPromptTokens: read,
      cacheWriteTokens: written,
      reasoningTokens: thinking,
    };
    yield { kind: 'usage', usage: total };
  };
}

/** Tracks tool calls by their block, and numbers them from 0 without the blocks between them. */
function createCalls() {
  const open = new Map<number, { index: number; input: unknown; hasArguments: boolean }>();
  let count = 0;
  return {
    *open(
      block: number,
      { id = '', name = '', input }: NonNullable<AnthropicEvent['content_block']>,
    ): Iterable<ProviderEvent> {
      const call = { index: count++, input, hasArguments: false };
      open.set(block, call);
      yield { kind: 'tool-call', index: call.index, id, name, argumentsJson: '' };
    },
    *part(block: number, argumentsJson: string): Iterable<ProviderEvent> {
      const call = open.get(block);
      if (call === undefined || argumentsJson === '') return;
      call.hasArguments = true;
      yield { kind: 'tool-call', index: call.index, id: '', name: '', argumentsJson };
    },
    /** Emits the arguments of a call without parts: it has no arguments, or a compatible server sent all of them at the start. */
    *close(block: number): Iterable<ProviderEvent> {
      const call = open.get(block);
      open.delete(block);
      if (call === undefined || call.hasArguments) return;
      const argumentsJson = JSON.stringify(call.input ?? {});
      yield { kind: 'tool-call', index: call.index, id: '', name: '', argumentsJson };
    },
  };
}

/** Removes `space` from the beginning of a text that arrives in parts, as far as the text begins with it. */
function createSpaceFilter(space: string): (part: string) => string {
  let left = space;
  return (part) => {
    let same = 0;
    while (same < part.length && same < left.length && part[same] === left[same]) same++;
    left = same < part.length ? '' : left.slice(same);
    return part.slice(same);
  };
}
