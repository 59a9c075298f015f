import type { GenerateRequest } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { invalidArgument } from '#kit/base/errors.ts';
import type { Target } from '../targets/target.ts';

// Fields of a provider's own API that a caller sets, beside those of the contract.

/** The fields by name. */
export type ExtraFields = Readonly<Record<string, unknown>>;

/** Most fields of one request. */
const maxFieldCount = 64;

/**
 * Fields of popular clients and servers. A model that is not configured for one does without it, with a warning: clients send them to
 * every model.
 */
const wellKnown: ReadonlySet<string> = new Set([
  // Sampling, of vLLM, SGLang, llama.cpp, Ollama, OpenRouter, Model Studio.
  ...['top_k', 'min_p', 'top_a', 'typical_p', 'repetition_penalty', 'repeat_penalty', 'length_penalty', 'min_tokens'],
  ...['ignore_eos', 'stop_token_ids', 'skip_special_tokens', 'include_stop_str_in_output', 'mirostat', 'do_sample'],
  // Thinking.
  ...['chat_template_kwargs', 'enable_thinking', 'thinking_budget', 'thinking', 'reasoning', 'include_reasoning'],
  ...['reasoning_format', 'reasoning_split', 'separate_reasoning', 'preserve_thinking', 'clear_thinking'],
  // Output in a form, by older names.
  ...['guided_json', 'guided_regex', 'guided_choice', 'guided_grammar', 'structured_outputs', 'grammar'],
  // Routing, caches and searches of providers.
  ...['provider', 'models', 'route', 'transforms', 'plugins', 'cache_control', 'cache_prompt', 'enable_search'],
  ...['search_options', 'safe_prompt', 'priority', 'extra_body', 'extra_headers', 'request_id', 'tool_stream'],
  // What chat front ends send.
  ...['chat_id', 'session_id', 'conversation_id', 'id', 'keep_alive', 'options', 'num_ctx', 'tags', 'features'],
]);

/** Returns the fields of a request. Throws INVALID_ARGUMENT if no target takes one of them and it is not well known. */
export function extraFieldsOf({ extraJson }: GenerateRequest, targets: readonly Target[]): ExtraFields {
  if (extraJson === '') return {};
  const fields = parseObject(extraJson);
  const names = Object.keys(fields);
  if (names.length > maxFieldCount) throw refused('extra_json', `has more than ${maxFieldCount} fields`);
  for (const name of names) {
    if (wellKnown.has(name) || targets.some(({ requestFields }) => requestFields.has(name))) continue;
    throw refused(name, 'is not known here, and no model of this request has it in its request_fields');
  }
  return fields;
}

/** Returns the fields that a target receives: its own ones, and those of the caller that it takes. Others are named in a warning. */
export function extraFieldsFor({ name, requestFields, extraFields }: Target, fields: ExtraFields) {
  const warnings: string[] = [];
  const extra: Record<string, unknown> = { ...extraFields };
  for (const [field, value] of Object.entries(fields)) {
    if (requestFields.has(field)) extra[field] = value;
    else warnings.push(`${field}: not passed to ${name}, which does not have it in its request_fields`);
  }
  return { extra, warnings };
}

function parseObject(json: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw refused('extra_json', 'is not JSON');
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw refused('extra_json', 'is not a JSON object');
}

function refused(field: string, description: string) {
  return invalidArgument(`${field}: ${description}`, { violations: [{ field, description }] });
}
