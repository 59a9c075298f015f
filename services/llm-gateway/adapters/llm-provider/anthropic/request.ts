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

/** What of the settings goes into a request. */
export interface AnthropicDefaults {
  model: string;
  /** Where the request gives no limit: this API has no default. */
  maxTokens: number;
  thinking: Thinking;
  /** Where the request asks for none. */
  effort: ReasoningEffort;
  /** Whether the model takes temperature and top_p: Claude up to 4.6, by the API of 2023. */
  sampling: boolean;
  cache: CacheControl | undefined;
  /** Rewrites a JSON Schema into the part of it that the model can be held to. */
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

/** The least that a budget of thinking can be. */
const minBudgetTokens = 1024;
const budgetTokens = { low: 2048, medium: 8192, high: 24_576 };

/** The body of a request, and what it goes without. */
export function toAnthropicBody(request: ProviderRequest, defaults: AnthropicDefaults) {
  const warnings: string[] = [];
  const without = (name: string, isGiven: boolean, why = 'the Messages API has none') => {
    if (isGiven) warnings.push(`${name}: ${why}`);
  };
  without('seed', request.seed !== undefined);
  without('frequency_penalty', request.frequencyPenalty !== undefined);
  without('presence_penalty', request.presencePenalty !== undefined);
  const stop = request.stop.filter((text) => text.trim() !== '');
  without('stop', stop.length < request.stop.length, 'texts of white space alone are not taken');

  const maxTokens = request.maxTokens || defaults.maxTokens;
  const system = toSystem(request.messages);
  const turns = toTurns(request.messages);
  // The API refuses white space at the end of a beginning: the reader of the reply puts it right again.
  const prefix = request.prefix.trimEnd();
  if (prefix !== '') turns.push({ role: 'assistant', content: [{ type: 'text', text: prefix }] });
  const tools = request.tools.map(toTool);
  const toolChoice = toToolChoice(request, defaults, without);
  const isForced = toolChoice?.type === 'any' || toolChoice?.type === 'tool';
  // With a budget, a call that was made thinking cannot be gone on from without the thoughts, which nobody keeps.
  const isAmidCalls = defaults.thinking === 'budget' && turns.at(-1)?.content[0]?.type === 'tool_result';
  const mustNotThink = isForced || prefix !== '' || isAmidCalls;
  const wanted = request.reasoningEffort || defaults.effort;
  const { thinking, effort } = toThinking(wanted, defaults, maxTokens, mustNotThink, without);
  const format = toFormat(request, defaults, prefix);
  if (request.responseFormat?.form.case === 'jsonObject') {
    without('response_format', true, 'json_object is asked for in words, as this API holds a model to a schema only');
    system.push({ type: 'text', text: 'Answer with one JSON object, and with nothing before or after it.' });
  }
  if (defaults.cache !== undefined) {
    const historyEnd = turns.at(-1)?.role === 'user' ? turns.at(-2)?.content.at(-1) : undefined;
    markCachePoints(defaults.cache, { tools, system, historyEnd });
  }
  const output = { ...(effort === undefined ? {} : { effort }), ...(format === undefined ? {} : { format }) };
  const body = {
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

type Without = (name: string, isGiven: boolean, why?: string) => void;

function toSystem(messages: readonly Message[]): TextBlock[] {
  return messages
    .filter(({ role, text }) => role === MessageRole.SYSTEM && text.trim() !== '')
    .map(({ text }) => ({ type: 'text', text }));
}

/** Messages by turns: the results of calls that were made together have to stand in one. */
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

/** The API refuses empty texts. */
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
  // A model that always thinks answers a forced call with an error.
  const canForce = thinking !== 'always' && thinking !== 'between-tools';
  without('tool_choice', isForced && !canForce, `${model} cannot be made to call a tool`);
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

/** `mustNotThink`: a forced call, its results, and a beginning of the answer leave no room for thoughts. */
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
    without('reasoning_effort', thinks, 'not together with a forced tool, its results, or the beginning of an answer');
    return way === 'adaptive' ? { thinking: { type: 'disabled' as const } } : {};
  }
  if (wanted === ReasoningEffort.UNSPECIFIED) {
    // These think unasked, and in silence: a summary shows that they are at work.
    return way === 'always' || way === 'between-tools' ? { thinking: shownThinking } : {};
  }
  if (!thinks) {
    if (way === 'between-tools') return { thinking: { type: 'between_tools' as const } };
    if (way !== 'always') return { thinking: { type: 'disabled' as const } };
    without('reasoning_effort', true, `${model} always thinks: it does so little`);
    return { effort: 'low' as const };
  }
  if (way !== 'budget') return { thinking: shownThinking, effort };
  // Thoughts count towards max_tokens: they get at most three quarters of it.
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

/** Models that take sampling at all take it up to 1, one of the two, and not while they think. */
function toSampling(
  { temperature, topP }: ProviderRequest,
  { sampling, model }: AnthropicDefaults,
  thinking: string | undefined,
  without: Without,
) {
  const thinks = thinking !== undefined && thinking !== 'disabled';
  if (!sampling || thinks) {
    const why = sampling ? 'not together with thinking' : `${model} takes none`;
    without('temperature', temperature !== undefined, why);
    without('top_p', topP !== undefined, why);
    return {};
  }
  if (temperature === undefined) return topP === undefined ? {} : { top_p: rounded(topP) };
  without('temperature', temperature > 1, 'lowered to 1, the most it takes');
  without('top_p', topP !== undefined, 'not together with temperature');
  return { temperature: rounded(Math.min(temperature, 1)) };
}

function toFormat({ responseFormat }: ProviderRequest, { toStrictSchema }: AnthropicDefaults, prefix: string) {
  if (responseFormat?.form.case !== 'jsonSchema') return undefined;
  if (prefix !== '') {
    throw new ProviderError({
      remedy: 'elsewhere',
      kind: 'invalid',
      message: 'this provider cannot go on from the beginning of an answer that has to fit a schema',
    });
  }
  const given = jsonObject(responseFormat.form.value.schemaJson, 'schema_json of the response format');
  try {
    return { type: 'json_schema' as const, schema: toStrictSchema(given) as Record<string, unknown> };
  } catch (cause) {
    const message = 'schema_json of the response format is no JSON Schema that Claude can be held to';
    throw new ProviderError({ remedy: 'fix-request', kind: 'invalid', message, cause });
  }
}
