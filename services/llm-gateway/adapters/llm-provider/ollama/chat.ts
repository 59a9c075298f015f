import {
  type Message,
  MessageRole,
  Outcome,
  ReasoningEffort,
  type ResponseFormat,
  ToolChoiceMode,
} from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { isTokenCount, toReportedCount } from '../../../accounting/token-count.ts';
import { ProviderError } from '../../../providers/error.ts';
import { readFailure, toProviderError } from '../../../providers/error-from-wire.ts';
import type { ProviderEvent, ProviderRequest } from '../../../providers/llm-provider.ts';
import { base64, jsonObject, rounded } from '../../../providers/wires/request-parts.ts';

// Ollama's own chat, POST /api/chat: github.com/ollama/ollama, docs/api.md, docs/api/errors.mdx and api/types.go.

/** What of the settings goes into a request. */
export interface OllamaDefaults {
  model: string;
  /** 0: the server's. */
  contextTokens: number;
  /** "5m", "-1" or ""; "": the server's. */
  keepAlive: string;
}

/** The body of a request, and what it goes without. */
export function toOllamaBody(
  request: ProviderRequest,
  { model, contextTokens, keepAlive }: OllamaDefaults,
): { body: Record<string, unknown>; warnings: string[] } {
  const warnings: string[] = [];
  const { toolChoice, reasoningEffort, seed, tools } = request;
  const mode = toolChoice?.mode ?? ToolChoiceMode.AUTO;
  if (mode === ToolChoiceMode.REQUIRED || mode === ToolChoiceMode.NAMED) {
    warnings.push('tool_choice: ollama cannot be made to call a tool');
  }
  if (request.parallelToolCalls === false) warnings.push('parallel_tool_calls: ollama cannot be held to one call');
  const isSafeSeed = seed === undefined || Number.isSafeInteger(Number(seed));
  if (!isSafeSeed) warnings.push('seed: ollama takes it only up to 2^53');
  const offered = tools.filter(
    ({ name }) => mode !== ToolChoiceMode.NONE && (mode !== ToolChoiceMode.NAMED || name === toolChoice?.name),
  );
  const options = {
    ...(contextTokens > 0 ? { num_ctx: contextTokens } : {}),
    ...(request.maxTokens > 0 ? { num_predict: request.maxTokens } : {}),
    ...(request.temperature === undefined ? {} : { temperature: rounded(request.temperature) }),
    ...(request.topP === undefined ? {} : { top_p: rounded(request.topP) }),
    ...(seed === undefined || !isSafeSeed ? {} : { seed: Number(seed) }),
    ...(request.frequencyPenalty === undefined ? {} : { frequency_penalty: rounded(request.frequencyPenalty) }),
    ...(request.presencePenalty === undefined ? {} : { presence_penalty: rounded(request.presencePenalty) }),
    ...(request.stop.length > 0 ? { stop: [...request.stop] } : {}),
  };
  const messages = toMessages(request.messages);
  if (request.prefix !== '') messages.push({ role: 'assistant', content: request.prefix });
  const body = {
    model,
    messages,
    stream: true,
    // Without these two, a prompt that is too long loses its oldest messages, or the answer pushes them out, and nobody is told.
    truncate: false,
    shift: false,
    ...(Object.keys(options).length > 0 ? { options } : {}),
    ...(keepAlive === '' ? {} : { keep_alive: /^-?\d+$/.test(keepAlive) ? Number(keepAlive) : keepAlive }),
    ...(reasoningEffort === ReasoningEffort.UNSPECIFIED ? {} : { think: toThink(reasoningEffort) }),
    ...(request.responseFormat === undefined ? {} : { format: toFormat(request.responseFormat) }),
    ...(offered.length > 0
      ? {
          tools: offered.map(({ name, description, parametersJson }) => ({
            type: 'function',
            function: {
              name,
              description,
              parameters: jsonObject(parametersJson, `parameters_json of tool "${name}"`),
            },
          })),
        }
      : {}),
  };
  return { body, warnings };
}

/** A model that only can or cannot think takes every level for "can". */
function toThink(effort: ReasoningEffort): false | 'low' | 'medium' | 'high' {
  switch (effort) {
    case ReasoningEffort.NONE:
      return false;
    case ReasoningEffort.LOW:
      return 'low';
    case ReasoningEffort.HIGH:
      return 'high';
    default:
      return 'medium';
  }
}

function toFormat({ form }: ResponseFormat): unknown {
  return form.case === 'jsonSchema' ? jsonObject(form.value.schemaJson, 'schema_json of the response format') : 'json';
}

function toMessages(messages: readonly Message[]): Record<string, unknown>[] {
  const toolNames = new Map<string, string>();
  return messages.map(({ role, text, toolCalls, toolCallId, images }) => {
    switch (role) {
      case MessageRole.SYSTEM:
        return { role: 'system', content: text };
      case MessageRole.ASSISTANT:
        for (const { id, name } of toolCalls) toolNames.set(id, name);
        return {
          role: 'assistant',
          content: text,
          ...(toolCalls.length > 0
            ? {
                tool_calls: toolCalls.map(({ id, name, argumentsJson }) => ({
                  id,
                  function: {
                    name,
                    arguments: jsonObject(argumentsJson, `arguments_json of a call of tool "${name}"`),
                  },
                })),
              }
            : {}),
        };
      case MessageRole.TOOL:
        return { role: 'tool', content: text, tool_call_id: toolCallId, tool_name: toolNames.get(toolCallId) ?? '' };
      default:
        return {
          role: 'user',
          content: text,
          ...(images.length > 0
            ? {
                images: images.map(({ source }) => {
                  if (source.case === 'data') return base64(source.value);
                  throw new ProviderError({
                    remedy: 'elsewhere',
                    kind: 'invalid',
                    message: 'ollama does not fetch images: send their bytes, or use a model of another provider',
                  });
                }),
              }
            : {}),
        };
    }
  });
}

/** A line of the reply, as far as it is read here. */
interface OllamaLine {
  model?: string;
  message?: { content?: string; thinking?: string; tool_calls?: OllamaToolCall[] | null };
  done?: boolean;
  done_reason?: string;
  prompt_eval_count?: number | null;
  eval_count?: number | null;
  error?: unknown;
}

interface OllamaToolCall {
  id?: string;
  function?: { name?: string; arguments?: unknown };
}

/** Reads the lines of one reply, in order. Its second argument makes up ids for calls that come without. */
export function createOllamaReader(
  warnings: readonly string[],
  numPredict: number,
): (line: unknown) => Iterable<ProviderEvent> {
  let hasStarted = false;
  let hasContent = false;
  let callCount = 0;
  return function* (value) {
    const line = (value ?? {}) as OllamaLine;
    // A failure in the middle comes with status 200, as a line of its own.
    if (line.error !== undefined) throw toOllamaError(readFailure(value));
    if (!hasStarted) {
      hasStarted = true;
      yield { kind: 'started', model: line.model ?? '', warnings };
    }
    const { content, thinking, tool_calls: calls } = line.message ?? {};
    if (thinking) yield { kind: 'reasoning', text: thinking };
    if (content) yield { kind: 'text', text: content };
    hasContent ||= Boolean(thinking || content);
    // A call comes whole in one line.
    for (const call of calls ?? []) {
      yield {
        kind: 'tool-call',
        index: callCount++,
        id: call.id ?? '',
        name: call.function?.name ?? '',
        argumentsJson: JSON.stringify(call.function?.arguments ?? {}),
      };
    }
    if (line.done !== true) return;
    yield { kind: 'usage', usage: toUsage(line, hasContent || callCount > 0) };
    yield { kind: 'end', ...toEnd(line, callCount, numPredict) };
  };
}

/**
 * Counts that are zero are left out of the reply. A prompt never has zero tokens, so one without a count was not counted (all of it
 * came from the cache of an older server); a completion has zero where nothing was written.
 */
function toUsage({ prompt_eval_count: prompt, eval_count: completion }: OllamaLine, hasWritten: boolean) {
  return {
    promptTokens: toReportedCount(prompt || undefined),
    completionTokens: completion ? toReportedCount(completion) : hasWritten ? undefined : 0,
    cachedPromptTokens: undefined,
    cacheWriteTokens: undefined,
    reasoningTokens: undefined,
  };
}

function toEnd(line: OllamaLine, callCount: number, numPredict: number): { outcome: Outcome; reason: string } {
  // Servers before 0.3 give no reason.
  const isFull = numPredict > 0 && isTokenCount(line.eval_count) && line.eval_count >= numPredict;
  const reason = line.done_reason ?? (isFull ? 'length' : 'stop');
  switch (reason) {
    case 'stop':
      return { outcome: callCount > 0 ? Outcome.TOOL_CALLS : Outcome.COMPLETE, reason };
    case 'length':
      return { outcome: Outcome.LENGTH, reason };
    // "load" and "unload": the server took the request for one to load the model; nothing was generated.
    default:
      return { outcome: Outcome.UPSTREAM_ERROR, reason };
  }
}

/** Ollama has no codes: its texts are all that tells a prompt too long or a missing ability from a bad request. */
const lacks = /does not support (?:tools|thinking|chat|completion|generate|insert|images?|vision)/i;
const isTooLong =
  /prompt too long|input length exceeds|exceeds? (?:the |maximum |max )*context length|exceeds the available context size/i;

/** The error of a reply or of a line. */
export function toOllamaError(failure: ReturnType<typeof readFailure>, cause?: unknown): ProviderError {
  const word = lacks.test(failure.text) ? 'unsupported_feature' : undefined;
  const code = word ?? (isTooLong.test(failure.text) ? 'context_length_exceeded' : undefined);
  return toProviderError(code === undefined ? failure : { ...failure, codes: [code, ...failure.codes] }, cause);
}
