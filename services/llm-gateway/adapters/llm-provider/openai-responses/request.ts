import {
  type Message,
  MessageRole,
  ReasoningEffort,
  type ResponseFormat,
  type Tool,
  type ToolChoice,
  ToolChoiceMode,
} from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { ProviderError } from '../../../providers/error.ts';
import type { ProviderRequest } from '../../../providers/llm-provider.ts';
import { imageUrl, jsonObject, rounded } from '../../../providers/wires/request-parts.ts';

// OpenAI's Responses: developers.openai.com/api/reference/resources/responses, POST /responses.

/** The settings that a request depends on. */
export interface ResponsesDefaults {
  model: string;
  /** Whether the model accepts temperature and top_p. */
  sampling: boolean;
  /** 'auto', 'concise', 'detailed' or '': none. */
  reasoningSummary: '' | 'auto' | 'concise' | 'detailed';
}

/** Smallest limit that OpenAI accepts, in tokens. */
const minOutputTokens = 16;
/** Longest key for caches and abuse reports that OpenAI accepts. */
const maxTagLength = 64;

/** Returns the body of a request, and a warning for each field that was omitted. */
export function toResponsesBody(request: ProviderRequest, defaults: ResponsesDefaults) {
  const { maxTokens, temperature, topP, reasoningEffort, tools, toolChoice, parallelToolCalls, responseFormat } =
    request;
  if (request.prefix !== '') {
    throw new ProviderError({
      remedy: 'elsewhere',
      kind: 'invalid',
      message: 'the Responses API cannot continue a partial answer',
    });
  }
  const warnings: string[] = [];
  const without = (name: string, isGiven: boolean, why = 'the Responses API has none') => {
    if (isGiven) warnings.push(`${name}: ${why}`);
  };
  without('seed', request.seed !== undefined);
  without('frequency_penalty', request.frequencyPenalty !== undefined);
  without('presence_penalty', request.presencePenalty !== undefined);
  without('stop', request.stop.length > 0);
  without(
    'max_tokens',
    maxTokens > 0 && maxTokens < minOutputTokens,
    `raised to ${minOutputTokens}, the least it takes`,
  );
  // A model that thinks accepts no sampling parameters: developers.openai.com/api/docs/guides/latest-model, "parameter compatibility".
  const thinks = reasoningEffort > ReasoningEffort.NONE;
  const samples = defaults.sampling && !thinks;
  const why = thinks ? 'not together with reasoning' : 'this model does not support it';
  without('temperature', temperature !== undefined && !samples, why);
  without('top_p', topP !== undefined && !samples, why);
  const tag = request.tenantTag.slice(0, maxTagLength);
  const reasoning = toReasoning(reasoningEffort, defaults.reasoningSummary);
  const body = {
    model: defaults.model,
    ...toInput(request.messages),
    stream: true as const,
    // The provider stores nothing of a tenant.
    store: false,
    ...(maxTokens > 0 ? { max_output_tokens: Math.max(maxTokens, minOutputTokens) } : {}),
    ...(samples && temperature !== undefined ? { temperature: rounded(temperature) } : {}),
    ...(samples && topP !== undefined ? { top_p: rounded(topP) } : {}),
    ...(reasoning === undefined ? {} : { reasoning }),
    ...(responseFormat === undefined ? {} : { text: { format: toFormat(responseFormat) } }),
    ...(tools.length > 0 ? { tools: tools.map(toTool) } : {}),
    ...(tools.length > 0 && toolChoice !== undefined ? { tool_choice: toToolChoice(toolChoice) } : {}),
    ...(tools.length > 0 && parallelToolCalls !== undefined ? { parallel_tool_calls: parallelToolCalls } : {}),
    ...(tag === '' ? {} : { prompt_cache_key: tag, safety_identifier: tag }),
  };
  return { body, warnings };
}

/** Separates the operator's instructions at the start of the conversation; later ones keep their place. */
function toInput(messages: readonly Message[]) {
  const first = messages.findIndex(({ role }) => role !== MessageRole.SYSTEM);
  const leading = first === -1 ? messages.length : first;
  const instructions = messages.slice(0, leading).map(({ text }) => text);
  return {
    ...(leading > 0 ? { instructions: instructions.join('\n\n') } : {}),
    input: messages.slice(leading).flatMap(toItems),
  };
}

type Part = { type: 'input_text'; text: string } | { type: 'input_image'; detail: 'auto'; image_url: string };

type Item =
  | { type: 'message'; role: 'developer' | 'assistant' | 'user'; content: string | Part[] }
  | { type: 'function_call'; call_id: string; name: string; arguments: string }
  | { type: 'function_call_output'; call_id: string; output: string };

function toItems({ role, text, toolCalls, toolCallId, images }: Message): Item[] {
  switch (role) {
    case MessageRole.SYSTEM:
      return [{ type: 'message', role: 'developer', content: text }];
    case MessageRole.ASSISTANT:
      return [
        ...(text === '' ? [] : [{ type: 'message', role: 'assistant', content: text } as const]),
        ...toolCalls.map(
          ({ id, name, argumentsJson }) =>
            ({ type: 'function_call', call_id: id, name, arguments: argumentsJson || '{}' }) as const,
        ),
      ];
    case MessageRole.TOOL:
      return [{ type: 'function_call_output', call_id: toolCallId, output: text }];
    default: {
      if (images.length === 0) return [{ type: 'message', role: 'user', content: text }];
      const parts: Part[] = images.map((image) => ({
        type: 'input_image',
        detail: 'auto',
        image_url: imageUrl(image),
      }));
      if (text !== '') parts.unshift({ type: 'input_text', text });
      return [{ type: 'message', role: 'user', content: parts }];
    }
  }
}

function toReasoning(effort: ReasoningEffort, summary: ResponsesDefaults['reasoningSummary']) {
  const word = effortWord(effort);
  const hasSummary = summary !== '' && word !== 'none';
  if (word === undefined && !hasSummary) return undefined;
  return { ...(word === undefined ? {} : { effort: word }), ...(hasSummary ? { summary } : {}) };
}

function effortWord(effort: ReasoningEffort): 'none' | 'low' | 'medium' | 'high' | undefined {
  switch (effort) {
    case ReasoningEffort.NONE:
      return 'none';
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

function toFormat({ form }: ResponseFormat) {
  if (form.case !== 'jsonSchema') return { type: 'json_object' as const };
  const { name, schemaJson, strict, description } = form.value;
  return {
    type: 'json_schema' as const,
    name,
    schema: jsonObject(schemaJson, 'schema_json of the response format'),
    strict,
    ...(description === '' ? {} : { description }),
  };
}

function toTool({ name, description, parametersJson }: Tool) {
  return {
    type: 'function' as const,
    name,
    ...(description === '' ? {} : { description }),
    parameters: jsonObject(parametersJson, `parameters_json of tool "${name}"`),
    // Strict mode would refuse every schema with an optional property.
    strict: false,
  };
}

function toToolChoice({ mode, name }: ToolChoice) {
  switch (mode) {
    case ToolChoiceMode.NONE:
      return 'none' as const;
    case ToolChoiceMode.REQUIRED:
      return 'required' as const;
    case ToolChoiceMode.NAMED:
      return { type: 'function' as const, name };
    default:
      return 'auto' as const;
  }
}
