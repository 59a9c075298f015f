import {
  type Message,
  MessageRole,
  ReasoningEffort,
  type Tool,
  type ToolChoice,
  ToolChoiceMode,
} from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { ProviderError } from '../../../providers/error.ts';
import type { ProviderRequest } from '../../../providers/llm-provider.ts';
import { base64, jsonObject, rounded } from '../../../providers/wires/request-parts.ts';
import type { Thinking } from './model.ts';
import { type CacheControl, markCachePoints } from './prompt-cache.ts';

// Anthropic's Messages: platform.claude.com/docs/en/api/messages, POST /v1/messages, and the types of @anthropic-ai/sdk 1.12.

/** The settings that a request depends on. */
export interface AnthropicDefaults {
  model: string;
  /** Longest completion of a request without a limit, in tokens: this API has no default. */
  maxTokens: number;
  thinking: Thinking;
  /** Effort of a request without one. */
  effort: ReasoningEffort;
  /** Whether the model accepts temperature and top_p: Claude up to 4.6, by the API of 2023. */
  sampling: boolean;
  cache: CacheControl | undefined;
  /** Returns the part of a JSON Schema that the API can enforce. */
  toStrictSchema: (schema: Record<string, unknown>) => object;
}

export interface TextBlock {
  type: 'text';
  text: string;
  cache_control?: CacheControl;
}

export type Block =
  | TextBlock
  | { type: 'image'; source: ImageSource; cache_control?: CacheControl }
  | { type: 'tool_use'; id: string; name: string; input: Record<string, unknown>; cache_control?: CacheControl }
  | { type: 'tool_result'; tool_use_id: string; content?: string; cache_control?: CacheControl };

type ImageSource =
  | { type: 'url'; url: string }
  | { type: 'base64'; media_type: 'image/png' | 'image/jpeg' | 'image/gif' | 'image/webp'; data: string };

export interface Turn {
  role: 'user' | 'assistant';
  content: Block[];
}

export interface ToolParam {
  name: string;
  description?: string;
  input_schema: { type: 'object'; [key: string]: unknown };
  cache_control?: CacheControl;
}

/** Smallest budget for thinking, in tokens. */
const minBudgetTokens = 1024;
const budgetTokens = { low: 2048, medium: 8192, high: 24_576 };

/** Returns the body of a request, and a warning for each field that was omitted. */
export function toAnthropicBody(request: ProviderRequest, defaults: AnthropicDefaults) {
  const warnings: string[] = [];
  const without = (name: string, isGiven: boolean, why = 'the Messages API has none') => {
    if (isGiven) warnings.push(`${name}: ${why}`);
  };
  without('seed', request.seed !== undefined);
  without('frequency_penalty', request.frequencyPenalty !== undefined);
  without('presence_penalty', request.presencePenalty !== undefined);
  const stop = request.stop.filter((text) => text.trim() !== '');
  without('stop', stop.length < request.stop.length, 'texts of only white space are not accepted');

  const maxTokens = request.maxTokens || defaults.maxTokens;
  const system = toSystem(request.messages);
  const turns = toTurns(request.messages);
  // The API refuses a partial answer that ends in white space: the reader of the response corrects for it.
  const prefix = request.prefix.trimEnd();
  if (prefix !== '') turns.push({ role: 'assistant', content: [{ type: 'text', text: prefix }] });
  const tools = request.tools.map(toTool);
  const toolChoice = toToolChoice(request, defaults, without);
  const isForced = toolChoice?.type === 'any' || toolChoice?.type === 'tool';
  // With a budget, the API refuses to continue after a tool call without its thoughts, which are not stored.
  const isAmidCalls = defaults.thinking === 'budget' && turns.at(-1)?.content[0]?.type === 'tool_result';
  const mustNotThink = isForced || prefix !== '' || isAmidCalls;
  const wanted = request.reasoningEffort || defaults.effort;
  const { thinking, effort } = toThinking(wanted, defaults, maxTokens, mustNotThink, without);
  const format = toFormat(request, defaults, prefix);
  if (request.responseFormat?.form.case === 'jsonObject') {
    without(
      'response_format',
      true,
      'json_object is requested by an instruction, because this API enforces only schemas',
    );
    system.push({ type: 'text', text: 'Answer with one JSON object, and with nothing before or after it.' });
  }
  const cache = cacheOf(request, defaults);
  if (cache !== undefined) {
    const historyEnd = turns.at(-1)?.role === 'user' ? turns.at(-2)?.content.at(-1) : undefined;
    markCachePoints(cache, { tools, system, historyEnd });
  }
  const output = { ...(effort === undefined ? {} : { effort }), ...(format === undefined ? {} : { format }) };
  const body = {
    ...request.extra,
    model: defaults.model,
    max_tokens: maxTokens,
    ...(system.length > 0 ? { system } : {}),
    messages: turns,
    stream: true as const,
    ...toSampling(request, defaults, thinking?.type, without),
    ...(stop.length > 0 ? { stop_sequences: stop } : {}),
    ...(thinking === undefined ? {} : { thinking }),
    ...(Object.keys(output).length > 0 ? { output_config: output } : {}),
    ...(tools.length > 0 ? { tools } : {}),
    ...(tools.length > 0 && toolChoice !== undefined ? { tool_choice: toolChoice } : {}),
    ...(request.tenantTag === '' ? {} : { metadata: { user_id: request.tenantTag.slice(0, 256) } }),
  };
  return { body, warnings };
}

/** The wish of the caller comes before the configuration. */
function cacheOf({ promptCacheSeconds }: ProviderRequest, { cache }: AnthropicDefaults): CacheControl | undefined {
  if (promptCacheSeconds === 0) return cache;
  return { type: 'ephemeral', ttl: promptCacheSeconds > 300 ? '1h' : '5m' };
}

type Without = (name: string, isGiven: boolean, why?: string) => void;

function toSystem(messages: readonly Message[]): TextBlock[] {
  return messages
    .filter(({ role, text }) => role === MessageRole.SYSTEM && text.trim() !== '')
    .map(({ text }) => ({ type: 'text', text }));
}

/** Returns the messages by turns. The results of parallel calls must be in one turn. */
function toTurns(messages: readonly Message[]): Turn[] {
  const turns: Turn[] = [];
  for (const message of messages) {
    if (message.role === MessageRole.SYSTEM) continue;
    const role = message.role === MessageRole.ASSISTANT ? 'assistant' : 'user';
    const content = toBlocks(message);
    if (content.length === 0) continue;
    const last = turns.at(-1);
    if (last?.role === role) last.content.push(...content);
    else turns.push({ role, content });
  }
  return turns;
}

/** Returns the blocks of a message, without empty texts, which the API refuses. */
function toBlocks({ role, text, toolCalls, toolCallId, images }: Message): Block[] {
  if (role === MessageRole.TOOL) {
    return [{ type: 'tool_result', tool_use_id: toolCallId, ...(text === '' ? {} : { content: text }) }];
  }
  const blocks: Block[] = text.trim() === '' ? [] : [{ type: 'text', text }];
  for (const { source, mediaType } of images) {
    if (source.case === 'url') blocks.push({ type: 'image', source: { type: 'url', url: source.value } });
    if (source.case === 'data') {
      const type = (mediaType || 'image/png') as 'image/png';
      blocks.push({ type: 'image', source: { type: 'base64', media_type: type, data: base64(source.value) } });
    }
  }
  for (const { id, name, argumentsJson } of toolCalls) {
    const input = jsonObject(argumentsJson, `arguments_json of a call of tool "${name}"`);
    blocks.push({ type: 'tool_use', id, name, input });
  }
  return blocks;
}

function toTool({ name, description, parametersJson }: Tool): ToolParam {
  const schema = jsonObject(parametersJson, `parameters_json of tool "${name}"`);
  return { name, ...(description === '' ? {} : { description }), input_schema: { ...schema, type: 'object' } };
}

function toToolChoice(
  { toolChoice, parallelToolCalls }: ProviderRequest,
  { thinking, model }: AnthropicDefaults,
  without: Without,
) {
  const parallel = parallelToolCalls === undefined ? {} : { disable_parallel_tool_use: !parallelToolCalls };
  const mode = toolChoice?.mode ?? ToolChoiceMode.UNSPECIFIED;
  const isForced = mode === ToolChoiceMode.REQUIRED || mode === ToolChoiceMode.NAMED;
  // A model that always thinks refuses a forced call.
  const canForce = thinking !== 'always' && thinking !== 'between-tools';
  without('tool_choice', isForced && !canForce, `${model} does not support forced tool calls`);
  if (mode === ToolChoiceMode.NONE) return { type: 'none' as const };
  if (isForced && canForce) return { ...forced(mode, toolChoice), ...parallel };
  if (mode === ToolChoiceMode.UNSPECIFIED && parallelToolCalls === undefined) return undefined;
  return { type: 'auto' as const, ...parallel };
}

function forced(mode: ToolChoiceMode, toolChoice: ToolChoice | undefined) {
  if (mode === ToolChoiceMode.NAMED) return { type: 'tool' as const, name: toolChoice?.name ?? '' };
  return { type: 'any' as const };
}

const shownThinking = { type: 'adaptive' as const, display: 'summarized' as const };

/** Returns the fields of the reasoning effort. `mustNotThink`: a forced call, its results, or a partial answer exclude thinking. */
function toThinking(
  wanted: ReasoningEffort,
  { thinking: way, model }: AnthropicDefaults,
  maxTokens: number,
  mustNotThink: boolean,
  without: Without,
) {
  const effort = effortWord(wanted);
  const thinks = effort !== undefined;
  if (way === 'none') {
    without('reasoning_effort', thinks, `${model} does not think`);
    return {};
  }
  if (mustNotThink) {
    without('reasoning_effort', thinks, 'not together with a forced tool, its results, or a partial answer');
    return way === 'adaptive' ? { thinking: { type: 'disabled' as const } } : {};
  }
  if (wanted === ReasoningEffort.UNSPECIFIED) {
    // These models think by default, without output: a summary shows that they are active.
    return way === 'always' || way === 'between-tools' ? { thinking: shownThinking } : {};
  }
  if (!thinks) {
    if (way === 'between-tools') return { thinking: { type: 'between_tools' as const } };
    if (way !== 'always') return { thinking: { type: 'disabled' as const } };
    without('reasoning_effort', true, `${model} always thinks: its effort is low`);
    return { effort: 'low' as const };
  }
  if (way !== 'budget') return { thinking: shownThinking, effort };
  // Thinking counts towards max_tokens: it gets at most three quarters of it.
  const budget = Math.min(budgetTokens[effort], Math.floor((maxTokens * 3) / 4));
  without('reasoning_effort', budget < minBudgetTokens, `max_tokens of ${maxTokens} leaves no room to think`);
  if (budget < minBudgetTokens) return {};
  return { thinking: { type: 'enabled' as const, budget_tokens: budget } };
}

function effortWord(effort: ReasoningEffort): 'low' | 'medium' | 'high' | undefined {
  switch (effort) {
    case ReasoningEffort.LOW:
      return 'low';
    case ReasoningEffort.MEDIUM:
      return 'medium';
    case ReasoningEffort.HIGH:
      return 'high';
    default:
      return undefined;
  }
}

/** Returns the sampling parameters. Models that support them accept one of the two, up to 1, and only without thinking. */
function toSampling(
  { temperature, topP }: ProviderRequest,
  { sampling, model }: AnthropicDefaults,
  thinking: string | undefined,
  without: Without,
) {
  const thinks = thinking !== undefined && thinking !== 'disabled';
  if (!sampling || thinks) {
    const why = sampling ? 'not together with thinking' : `${model} does not support it`;
    without('temperature', temperature !== undefined, why);
    without('top_p', topP !== undefined, why);
    return {};
  }
  if (temperature === undefined) return topP === undefined ? {} : { top_p: rounded(topP) };
  without('temperature', temperature > 1, 'lowered to 1, the maximum');
  without('top_p', topP !== undefined, 'not together with temperature');
  return { temperature: rounded(Math.min(temperature, 1)) };
}

function toFormat({ responseFormat }: ProviderRequest, { toStrictSchema }: AnthropicDefaults, prefix: string) {
  if (responseFormat?.form.case !== 'jsonSchema') return undefined;
  if (prefix !== '') {
    throw new ProviderError({
      remedy: 'elsewhere',
      kind: 'invalid',
      message: 'this provider cannot continue a partial answer that has a schema',
    });
  }
  const given = jsonObject(responseFormat.form.value.schemaJson, 'schema_json of the response format');
  try {
    return { type: 'json_schema' as const, schema: toStrictSchema(given) as Record<string, unknown> };
  } catch (cause) {
    const message = 'schema_json of the response format is not a JSON Schema that the API can enforce';
    throw new ProviderError({ remedy: 'fix-request', kind: 'invalid', message, cause });
  }
}
