import { Outcome } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { isTokenCount, toReportedCount } from '../../accounting/token-count.ts';
import type { ProviderEvent, ProviderUsage } from '../llm-provider.ts';
import { pushContent } from './chat-content.ts';
import { type ChatFunctionCall, type ChatToolCall, createToolCallReader } from './tool-call-parts.ts';

/** A chunk of a stream of chat completions, or a whole completion, with fields that servers add. Every field may be missing. */
export interface ChatChunk {
  choices?: readonly ChatChoice[] | null;
  usage?: ChatUsage | null;
}

interface ChatChoice {
  index?: number;
  delta?: ChatDelta | null;
  /** Replaces `delta` if a server does not stream. */
  message?: ChatDelta | null;
  finish_reason?: string | null;
  /** Moonshot counts here. */
  usage?: ChatUsage | null;
}

interface ChatDelta {
  /** A string, or a list of parts. */
  content?: unknown;
  refusal?: unknown;
  /** The name of reasoning at DeepSeek, Model Studio and Ark, and in older vLLM. */
  reasoning_content?: unknown;
  /** The name of reasoning in newer vLLM and Ollama. */
  reasoning?: unknown;
  tool_calls?: readonly ChatToolCall[] | null;
  /** The old form of a single call. */
  function_call?: ChatFunctionCall | null;
}

interface ChatUsage {
  prompt_tokens?: number | null;
  completion_tokens?: number | null;
  total_tokens?: number | null;
  prompt_tokens_details?: {
    cached_tokens?: number | null;
    cache_write_tokens?: number | null;
    cache_creation_input_tokens?: number | null;
  } | null;
  completion_tokens_details?: { reasoning_tokens?: number | null } | null;
  /** DeepSeek's. */
  prompt_cache_hit_tokens?: number | null;
}

/** Reads one completion. */
export interface ChunkReader {
  /** Adds the events of the next chunk to `events`. */
  read(chunk: ChatChunk, events: ProviderEvent[]): void;
  /** Adds the events of [DONE]. */
  done(events: ProviderEvent[]): void;
  /** Whether the completion has had a reason to finish. Before it, words are text and nothing else. */
  readonly hasEnded: boolean;
}

/**
 * Creates a reader of the chunks of one completion. Chunks without a first choice (Azure's first one, usage chunks) have no text. Only a
 * finish_reason ends the completion; usage may follow it. Content after it is content too, because some servers send a reason with every
 * chunk or before the last words; the completion then ends with the next reason, or with [DONE], which repeats the last one.
 */
export function createChunkReader(): ChunkReader {
  const readCalls = createToolCallReader();
  let end: string | undefined;
  let isReopened = false;
  let isRefused = false;
  let hasCalls = false;
  const readContent = (delta: ChatDelta, isWhole: boolean, events: ProviderEvent[]) => {
    pushContent(delta.reasoning_content || delta.reasoning, 'reasoning', events);
    if (pushContent(delta.content, 'text', events)) isRefused = true;
    if (pushContent(delta.refusal, 'refusal', events)) isRefused = true;
    const calls = callsOf(delta);
    if (calls.length > 0) {
      hasCalls = true;
      events.push(...readCalls(calls, isWhole));
    }
  };
  return {
    read({ choices, usage }, events) {
      const choice = firstOf(choices);
      const counted = usage ?? choice?.usage;
      const pushUsage = () => {
        if (counted) events.push({ kind: 'usage', usage: toUsage(counted) });
      };
      if (choice === undefined) return pushUsage();
      // Some servers repeat the whole message at the end.
      const content = choice.delta ?? (end === undefined ? choice.message : undefined);
      const count = events.length;
      if (content) readContent(content, !choice.delta, events);
      const hasContent = events.length > count;
      // After the content of its chunk, which it counts.
      pushUsage();
      if (end !== undefined && !isReopened && hasContent) {
        isReopened = true;
        events.push({ kind: 'end', outcome: Outcome.TRUNCATED, reason: `no end after the content behind "${end}"` });
      }
      const reason = choice.finish_reason;
      if (typeof reason !== 'string' || noReasons.has(reason.toLowerCase())) return;
      if (end !== undefined && !isReopened) return;
      end = reason;
      isReopened = false;
      events.push(endOf(reason, isRefused, hasCalls));
    },
    get hasEnded() {
      return end !== undefined;
    },
    done(events) {
      if (end !== undefined && isReopened) events.push(endOf(end, isRefused, hasCalls));
    },
  };
}

/** Values for "not finished" in lower case, from servers that print the null of their language. */
const noReasons: ReadonlySet<string> = new Set(['', 'null', 'none', 'nil', 'undefined']);

function callsOf({ tool_calls: calls, function_call: call }: ChatDelta): readonly ChatToolCall[] {
  if (calls?.length) return calls;
  return call ? [{ function: call }] : [];
}

function firstOf(choices: ChatChunk['choices']): ChatChoice | undefined {
  if (!choices) return undefined;
  for (const choice of choices) if ((choice.index ?? 0) === 0) return choice;
  return undefined;
}

function toUsage(usage: ChatUsage): ProviderUsage {
  const { prompt_tokens_details: prompt, completion_tokens_details: completion } = usage;
  const reasoning = toReportedCount(completion?.reasoning_tokens);
  return {
    promptTokens: toReportedCount(usage.prompt_tokens),
    completionTokens: withReasoning(usage, reasoning),
    cachedPromptTokens: toReportedCount(prompt?.cached_tokens ?? usage.prompt_cache_hit_tokens),
    cacheWriteTokens: toReportedCount(prompt?.cache_write_tokens ?? prompt?.cache_creation_input_tokens),
    reasoningTokens: reasoning,
  };
}

/** Returns the completion tokens. They include reasoning, unless the server's total shows that it counts reasoning apart (xAI). */
function withReasoning(usage: ChatUsage, reasoning: number | undefined): number | undefined {
  const prompt = toReportedCount(usage.prompt_tokens);
  const completion = toReportedCount(usage.completion_tokens);
  if (!isTokenCount(prompt) || !isTokenCount(completion) || !isTokenCount(reasoning)) return completion;
  return usage.total_tokens === prompt + completion + reasoning ? completion + reasoning : completion;
}

const outcomes: Record<string, Outcome> = {
  stop: Outcome.COMPLETE,
  eos: Outcome.COMPLETE,
  eos_token: Outcome.COMPLETE,
  stop_sequence: Outcome.COMPLETE,
  end_turn: Outcome.COMPLETE,
  length: Outcome.LENGTH,
  max_tokens: Outcome.LENGTH,
  model_length: Outcome.LENGTH,
  content_filter: Outcome.FILTERED,
  sensitive: Outcome.FILTERED,
  safety: Outcome.FILTERED,
  tool_calls: Outcome.TOOL_CALLS,
  function_call: Outcome.TOOL_CALLS,
  tool_use: Outcome.TOOL_CALLS,
  abort: Outcome.TRUNCATED,
  cancelled: Outcome.TRUNCATED,
};

/**
 * Returns the end event of a finish_reason. An unknown reason does not prove a whole completion, and neither does a reason for tool calls
 * without a call. OpenAI ends a forced call with "stop".
 */
function endOf(reason: string, isRefused: boolean, hasCalls: boolean): ProviderEvent {
  const outcome = outcomes[reason.toLowerCase()] ?? Outcome.UPSTREAM_ERROR;
  if (outcome === Outcome.TOOL_CALLS && !hasCalls) {
    return { kind: 'end', outcome: Outcome.UPSTREAM_ERROR, reason: `${reason} without a call` };
  }
  if (outcome !== Outcome.COMPLETE) return { kind: 'end', outcome, reason };
  if (isRefused) return { kind: 'end', outcome: Outcome.FILTERED, reason: 'refusal' };
  return { kind: 'end', outcome: hasCalls ? Outcome.TOOL_CALLS : outcome, reason };
}
