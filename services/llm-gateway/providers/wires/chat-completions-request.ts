import {
  type Image,
  type JsonSchemaFormat,
  type Message,
  MessageRole,
  ReasoningEffort,
  type ResponseFormat,
  type Tool,
  type ToolChoice,
  ToolChoiceMode,
} from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { ProviderError } from '../error.ts';
import type { ProviderRequest } from '../llm-provider.ts';
import type { ChatDialect, ChatField } from './chat-completions-dialect.ts';

/** A request of chat completions as JSON, and a warning for each field that the provider does not support. */
export interface ChatBody {
  body: { model: string; [field: string]: unknown };
  warnings: string[];
}

/**
 * Translates a request. A field that the dialect lacks is omitted and named in a warning. Throws a ProviderError if the omission would
 * change the request: a tool that must be called, a schema that the output must match, a partial answer to continue.
 */
export function toChatBody(request: ProviderRequest, model: string, dialect: ChatDialect): ChatBody {
  const warnings: string[] = [...(dialect.notes?.(request) ?? [])];
  const lacks = dialect.lacks?.(request, model) ?? [];
  const about = dialect.lacksByModel ? ` for ${model}` : '';
  const has = (field: ChatField): boolean => {
    if (!lacks.includes(field)) return true;
    warnings.push(`${field}: ${dialect.vendor} has none${about}`);
    return false;
  };
  const { maxTokens, tools, tenantTag } = request;
  const { limitField = 'max_tokens', prefill } = dialect;
  const systemRole = dialect.systemRole?.(model) ?? 'system';
  const messages = request.messages.map((message) => toMessage(message, systemRole, request));
  if (request.prefix !== '') {
    if (prefill === undefined) throw lacking('the continuation of a partial answer');
    messages.push({ role: 'assistant', content: request.prefix, ...prefill.message });
  }
  const body: ChatBody['body'] = {
    ...request.extra,
    model,
    messages,
    ...(request.whole
      ? { stream: false }
      : { stream: true, stream_options: { include_usage: true, ...dialect.streamOptions } }),
    ...dialect.extra,
  };
  if (request.prefix !== '') Object.assign(body, prefill?.body);
  if (maxTokens > 0) body[limitField] = maxTokens;
  addSampling(body, request, has);
  if (tools.length > 0) addTools(body, tools, request, has);
  if (request.responseFormat !== undefined) {
    const format = formatOf(request.responseFormat, dialect, has);
    if (format !== undefined) body.response_format = format;
  }
  if (request.reasoningEffort !== ReasoningEffort.UNSPECIFIED && has('reasoning_effort')) {
    const effort = request.reasoningEffort;
    const fields = (dialect.reasoning ?? reasoningEffort)(effort, model);
    if (fields === undefined) warnings.push(`reasoning_effort: ${dialect.vendor} cannot set this one`);
    else Object.assign(body, fields);
  }
  if (tenantTag !== '') Object.assign(body, dialect.tenant?.(tenantTag));
  return { body, warnings };
}

function addSampling(
  body: ChatBody['body'],
  { temperature, topP, seed, frequencyPenalty, presencePenalty, stop }: ProviderRequest,
  has: (field: ChatField) => boolean,
): void {
  if (temperature !== undefined && has('temperature')) body.temperature = rounded(temperature);
  if (topP !== undefined && has('top_p')) body.top_p = rounded(topP);
  if (seed !== undefined && has('seed')) body.seed = exactNumber(seed);
  if (frequencyPenalty !== undefined && has('frequency_penalty')) body.frequency_penalty = rounded(frequencyPenalty);
  if (presencePenalty !== undefined && has('presence_penalty')) body.presence_penalty = rounded(presencePenalty);
  if (stop.length > 0 && has('stop')) body.stop = [...stop];
}

/** Returns OpenAI's field for the reasoning effort. */
export function reasoningEffort(effort: ReasoningEffort): { reasoning_effort: string } {
  switch (effort) {
    case ReasoningEffort.NONE:
      return { reasoning_effort: 'none' };
    case ReasoningEffort.LOW:
      return { reasoning_effort: 'low' };
    case ReasoningEffort.HIGH:
      return { reasoning_effort: 'high' };
    default:
      return { reasoning_effort: 'medium' };
  }
}

function addTools(
  body: ChatBody['body'],
  tools: readonly Tool[],
  { toolChoice, parallelToolCalls }: ProviderRequest,
  has: (field: ChatField) => boolean,
): void {
  const mode = toolChoice?.mode ?? ToolChoiceMode.UNSPECIFIED;
  const isForced = mode === ToolChoiceMode.REQUIRED || mode === ToolChoiceMode.NAMED;
  if (!has('tools')) {
    if (isForced) throw lacking('tools');
    return;
  }
  body.tools = tools.map(toTool);
  if (mode !== ToolChoiceMode.UNSPECIFIED) {
    if (has('tool_choice')) body.tool_choice = toToolChoice(toolChoice as ToolChoice);
    else if (isForced) throw lacking('a choice of tools');
    // A model that may not call a tool gets no tools.
    else if (mode === ToolChoiceMode.NONE) delete body.tools;
  }
  if (parallelToolCalls !== undefined && has('parallel_tool_calls')) body.parallel_tool_calls = parallelToolCalls;
}

/** Returns OpenAI's form of a `response_format`. */
export function toResponseFormat(form: ResponseFormat['form']): object | undefined {
  switch (form.case) {
    case undefined:
      return undefined;
    case 'jsonObject':
      return { type: 'json_object' };
    case 'jsonSchema': {
      const { name, strict, description } = form.value;
      const about = description === '' ? {} : { description };
      return { type: 'json_schema', json_schema: { name, ...about, schema: toSchema(form.value), strict } };
    }
    default:
      return form satisfies never;
  }
}

/** Returns the parsed schema of a format. Throws a ProviderError if it is not JSON. */
export function toSchema({ name, schemaJson }: JsonSchemaFormat): unknown {
  return parseJson(schemaJson, `schema_json of "${name}"`);
}

/** Returns the format; if the provider has no schemas, a schema that is not strict becomes a request for a JSON object. */
function formatOf(
  { form }: ResponseFormat,
  { responseFormat = toResponseFormat }: ChatDialect,
  has: (field: ChatField) => boolean,
): object | undefined {
  if (form.case !== 'jsonSchema' || has('json_schema')) return responseFormat(form);
  if (form.value.strict) throw lacking('output held to a JSON Schema');
  return { type: 'json_object' };
}

function lacking(what: string): ProviderError {
  return new ProviderError({ remedy: 'elsewhere', kind: 'invalid', message: `this model does not have ${what}` });
}

/** A float32 of the contract as a person wrote it: 0.7, not 0.699999988079071. */
export function rounded(value: number): number {
  return Number(value.toPrecision(6));
}

/** JSON has no int64: a seed beyond 2^53 would arrive as another one. */
function exactNumber(value: bigint): number {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  throw new ProviderError({ remedy: 'fix-request', message: 'the seed is beyond 2^53, which JSON cannot carry' });
}

type ChatMessage = Record<string, unknown>;

function toMessage(
  { role, text, images, toolCalls, toolCallId, reasoning }: Message,
  systemRole: string,
  { reasoningField, callExtraContent }: ProviderRequest,
): ChatMessage {
  switch (role) {
    case MessageRole.SYSTEM:
      return { role: systemRole, content: text };
    case MessageRole.ASSISTANT: {
      const thought = reasoningField === '' || reasoning === '' ? {} : { [reasoningField]: reasoning };
      if (toolCalls.length === 0) return { role: 'assistant', content: text, ...thought };
      return {
        role: 'assistant',
        content: text || null,
        ...thought,
        tool_calls: toolCalls.map(({ id, name, argumentsJson, extraContentJson }) => ({
          id,
          type: 'function',
          function: { name, arguments: argumentsJson },
          ...(callExtraContent && extraContentJson !== ''
            ? { extra_content: parseJson(extraContentJson, `extra_content_json of tool "${name}"`) }
            : {}),
        })),
      };
    }
    case MessageRole.TOOL:
      return { role: 'tool', content: text, tool_call_id: toolCallId };
    default:
      if (images.length === 0) return { role: 'user', content: text };
      return { role: 'user', content: [...(text === '' ? [] : [{ type: 'text', text }]), ...images.map(toImagePart)] };
  }
}

function toImagePart({ source, mediaType }: Image): object {
  if (source.case === 'url') return { type: 'image_url', image_url: { url: source.value } };
  if (source.case === undefined || mediaType === '') {
    throw new ProviderError({ remedy: 'fix-request', message: 'an image needs a url, or data and its media_type' });
  }
  const base64 = Buffer.from(source.value.buffer, source.value.byteOffset, source.value.length).toString('base64');
  return { type: 'image_url', image_url: { url: `data:${mediaType};base64,${base64}` } };
}

function toTool({ name, description, parametersJson }: Tool): object {
  const parameters = parseJson(
    parametersJson || '{"type":"object","properties":{}}',
    `parameters_json of tool "${name}"`,
  );
  return { type: 'function', function: { name, ...(description === '' ? {} : { description }), parameters } };
}

function toToolChoice({ mode, name }: ToolChoice): unknown {
  switch (mode) {
    case ToolChoiceMode.NONE:
      return 'none';
    case ToolChoiceMode.REQUIRED:
      return 'required';
    case ToolChoiceMode.NAMED:
      return { type: 'function', function: { name } };
    default:
      return 'auto';
  }
}

/** JSON of the caller; a text that is none is the caller's fault. */
export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ProviderError({ remedy: 'fix-request', message: `${what} is not JSON`, cause });
  }
}
