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

// Ollama's native chat, POST /api/chat: github.com/ollama/ollama, docs/api.md, docs/api/errors.mdx and api/types.go.

/** The settings that a request depends on. */
export interface OllamaDefaults {
  model: string;
  /** 0: the server's. */
  contextTokens: number;
  /** "5m", "-1" or ""; "": the server's. */
  keepAlive: string;
}

/** Returns the body of a request, and a warning for each field that was omitted. */
export function toOllamaBody(
  request: ProviderRequest,
  { model, contextTokens, keepAlive }: OllamaDefaults,
): { body: Record<string, unknown>; warnings: string[] } {
  const warnings: string[] = [];
  const { toolChoice, reasoningEffort, seed, tools } = request;
  const mode = toolChoice?.mode ?? ToolChoiceMode.AUTO;
  if (mode === ToolChoiceMode.REQUIRED || mode === ToolChoiceMode.NAMED) {
    warnings.push('tool_choice: ollama does not support forced tool calls');
  }
  if (request.parallelToolCalls === false) warnings.push('parallel_tool_calls: ollama cannot be limited to one call');
  const isSafeSeed = seed === undefined || Number.isSafeInteger(Number(seed));
  if (!isSafeSeed) warnings.push('seed: ollama accepts it only up to 2^53');
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
    // Without these two, ollama silently drops the oldest messages of a prompt that is too long.
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

/** Returns ollama's `think`. A model with only on and off treats every level as on. */
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

/** The fields of a line of the response that the reader uses. */
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

/** Creates a reader of the lines of one response, in order. Its second argument makes ids for calls without one. */
export function createOllamaReader(
  warnings: readonly string[],
  numPredict: number,
): (line: unknown) => Iterable<ProviderEvent> {
  let hasStarted = false;
  let hasContent = false;
  let callCount = 0;
  return function* (value) {
    const line = (value ?? {}) as OllamaLine;
    // A failure inside of the stream has status 200 and its own line.
    if (line.error !== undefined) throw toOllamaError(readFailure(value));
    if (!hasStarted) {
      hasStarted = true;
      yield { kind: 'started', model: line.model ?? '', warnings };
    }
    const { content, thinking, tool_calls: calls } = line.message ?? {};
    if (thinking) yield { kind: 'reasoning', text: thinking };
    if (content) yield { kind: 'text', text: content };
    hasContent ||= Boolean(thinking || content);
    // A call is complete in one line.
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
 * Returns the usage. The response omits counts of zero. A prompt never has zero tokens, so a prompt without a count was not counted (an
 * older server took all of it from its cache); a completion without a count is empty.
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
  // Servers before 0.3 send no reason.
  const isFull = numPredict > 0 && isTokenCount(line.eval_count) && line.eval_count >= numPredict;
  const reason = line.done_reason ?? (isFull ? 'length' : 'stop');
  switch (reason) {
    case 'stop':
      return { outcome: callCount > 0 ? Outcome.TOOL_CALLS : Outcome.COMPLETE, reason };
    case 'length':
      return { outcome: Outcome.LENGTH, reason };
    // "load" and "unload": the server treated the request as one to load the model, and generated nothing.
    default:
      return { outcome: Outcome.UPSTREAM_ERROR, reason };
  }
}

/** Texts of ollama's errors, which have no codes: they distinguish a long prompt and a missing capability from an invalid request. */
const lacks = /does not support (?:tools|thinking|chat|completion|generate|insert|images?|vision)/i;
const isTooLong =
  /prompt too long|input length exceeds|exceeds? (?:the |maximum |max )*context length|exceeds the available context size/i;

/** Returns the error of a response or of a line. */
export function toOllamaError(failure: ReturnType<typeof readFailure>, cause?: unknown): ProviderError {
  const word = lacks.test(failure.text) ? 'unsupported_feature' : undefined;
  const code = word ?? (isTooLong.test(failure.text) ? 'context_length_exceeded' : undefined);
  return toProviderError(code === undefined ? failure : { ...failure, codes: [code, ...failure.codes] }, cause);
}
