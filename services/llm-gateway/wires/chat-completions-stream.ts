import { Outcome } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import type { ProviderEvent, ProviderUsage } from '../llm-provider.ts';

/** A chunk of a stream of chat completions, or a whole completion, with what servers add; nothing of it is sure to be there. */
export interface ChatChunk {
  choices?: readonly ChatChoice[] | null;
  usage?: ChatUsage | null;
}

interface ChatChoice {
  index?: number;
  delta?: ChatDelta | null;
  /** In the place of `delta` where a server answers in one piece. */
  message?: ChatDelta | null;
  finish_reason?: string | null;
  /** Moonshot counts here. */
  usage?: ChatUsage | null;
}

interface ChatDelta {
  content?: string | null;
  refusal?: string | null;
  /** DeepSeek's, Model Studio's and Ark's name for reasoning, and older vLLM's. */
  reasoning_content?: string | null;
  /** Newer vLLM's and Ollama's. */
  reasoning?: string | null;
  tool_calls?: readonly ChatToolCall[] | null;
}

interface ChatToolCall {
  index?: number | null;
  id?: string | null;
  function?: { name?: string | null; arguments?: string | Record<string, unknown> | null } | null;
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

/** Reads the chunks of one completion, in order; what they say is added to `events`. */
export type ChunkReader = (chunk: ChatChunk, events: ProviderEvent[]) => void;

/**
 * Makes a reader for the chunks of one completion. Chunks without a first choice (Azure's first one, usage chunks) are no text, and
 * only a finish_reason ends the completion, once; usage may follow it.
 */
export function createChunkReader(): ChunkReader {
  const readCalls = createToolCallReader();
  let isEnded = false;
  let isRefused = false;
  let hasCalls = false;
  return ({ choices, usage }, events) => {
    const choice = firstOf(choices);
    const counted = usage ?? choice?.usage;
    if (counted) events.push({ kind: 'usage', usage: toUsage(counted) });
    if (choice === undefined || isEnded) return;
    const delta = choice.delta ?? choice.message;
    const reasoning = delta?.reasoning_content || delta?.reasoning;
    if (reasoning) events.push({ kind: 'reasoning', text: reasoning });
    if (delta?.content) events.push({ kind: 'text', text: delta.content });
    if (delta?.refusal) {
      isRefused = true;
      events.push({ kind: 'text', text: delta.refusal });
    }
    if (delta?.tool_calls?.length) {
      hasCalls = true;
      events.push(...readCalls(delta.tool_calls));
    }
    if (choice.finish_reason) {
      isEnded = true;
      events.push(endOf(choice.finish_reason, isRefused, hasCalls));
    }
  };
}

function firstOf(choices: ChatChunk['choices']): ChatChoice | undefined {
  if (!choices) return undefined;
  for (const choice of choices) if ((choice.index ?? 0) === 0) return choice;
  return undefined;
}

/** Parts of tool calls by place. Id and name are told once, though some servers repeat them with every part. */
function createToolCallReader(): (calls: readonly ChatToolCall[]) => ProviderEvent[] {
  const places = new Map<number, { place: number; id: string; name: string }>();
  let count = 0;
  return (calls) =>
    calls.map((call, at): ProviderEvent => {
      const key = call.index ?? at;
      const id = call.id ?? '';
      let known = places.get(key);
      // A server that counts every call as the first one tells them apart by their ids.
      const isNew = known === undefined || (id !== '' && known.id !== '' && known.id !== id);
      if (isNew) {
        known = { place: count++, id: '', name: '' };
        places.set(key, known);
      }
      const entry = known as { place: number; id: string; name: string };
      const name = call.function?.name ?? '';
      const parts = call.function?.arguments ?? '';
      const event: ProviderEvent = {
        kind: 'tool-call',
        index: entry.place,
        id: entry.id === '' ? id : '',
        name: entry.name === '' ? name : '',
        argumentsJson: typeof parts === 'string' ? parts : JSON.stringify(parts),
      };
      entry.id ||= id;
      entry.name ||= name;
      return event;
    });
}

function toUsage(usage: ChatUsage): ProviderUsage {
  const { prompt_tokens_details: prompt, completion_tokens_details: completion } = usage;
  const reasoning = tokens(completion?.reasoning_tokens);
  return {
    promptTokens: tokens(usage.prompt_tokens),
    completionTokens: withReasoning(usage, reasoning),
    cachedPromptTokens: tokens(prompt?.cached_tokens ?? usage.prompt_cache_hit_tokens),
    cacheWriteTokens: tokens(prompt?.cache_write_tokens ?? prompt?.cache_creation_input_tokens),
    reasoningTokens: reasoning,
  };
}

/** Reasoning is part of the completion, except where a server's total shows that it counted it beside (xAI). */
function withReasoning(usage: ChatUsage, reasoning: number | undefined): number | undefined {
  const prompt = tokens(usage.prompt_tokens);
  const completion = tokens(usage.completion_tokens);
  if (prompt === undefined || completion === undefined || !reasoning) return completion;
  return usage.total_tokens === prompt + completion + reasoning ? completion + reasoning : completion;
}

/** A count, or `undefined` where the server says none: an explicit zero is a count. */
function tokens(count: number | null | undefined): number | undefined {
  return typeof count === 'number' && Number.isFinite(count) && count >= 0 ? count : undefined;
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

/** A word that is not known is no proof of a whole completion. A forced call ends with "stop" at OpenAI, and is one all the same. */
function endOf(reason: string, isRefused: boolean, hasCalls: boolean): ProviderEvent {
  const outcome = outcomes[reason] ?? Outcome.UPSTREAM_ERROR;
  if (outcome !== Outcome.COMPLETE) return { kind: 'end', outcome, reason };
  if (isRefused) return { kind: 'end', outcome: Outcome.FILTERED, reason: 'refusal' };
  return { kind: 'end', outcome: hasCalls ? Outcome.TOOL_CALLS : outcome, reason };
}
