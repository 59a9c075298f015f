import { z } from 'zod';
import {
  anyFields,
  fields,
  fieldsAmongOthers,
  flag,
  list,
  number,
  refusedUnlessEmpty,
  text,
  word,
} from '../../http/fields.ts';
import { languagesByWord } from '../../sse/answer-json.ts';
import { responseFormatSchema } from './tools.ts';

const noTools =
  'is not supported: the models that answer from documents call no tools; a plain model of GET /v1/models does';

const part = fieldsAmongOthers({ type: word({ text: 'text' }), text: text({ max: 1 << 20 }) });

// Clients return the messages of earlier answers unchanged, with every field.
const message = fieldsAmongOthers({
  role: word({ system: 'system', developer: 'system', user: 'user', assistant: 'assistant' }),
  content: z.union([z.string(), z.array(part)], 'must be a text or a list of text parts').nullish(),
  tool_calls: refusedUnlessEmpty(noTools),
});

/** What popular clients send beside OpenAI's parameters: names of their own, and parameters of other servers. */
const ofClients = [
  ...['chat_id', 'session_id', 'conversation_id', 'id', 'files', 'features', 'variables', 'tool_ids', 'extra_body'],
  ...['keep_alive', 'options', 'think', 'format', 'raw', 'template', 'num_ctx', 'background_tasks', 'provider'],
  ...['thinking', 'enable_thinking', 'chat_template_kwargs', 'reasoning', 'include_reasoning', 'cache_control'],
  ...['min_p', 'top_a', 'typical_p', 'repetition_penalty', 'best_of', 'stop_token_ids', 'skip_special_tokens'],
] as const;

/** Parameters that only tune a model's words, or that are not for this server: ignored, with a warning. */
export const tuning = [
  ...ofClients,
  'top_p',
  'presence_penalty',
  'frequency_penalty',
  'logit_bias',
  'seed',
  'stop',
  'reasoning_effort',
  'verbosity',
  'prediction',
  'mid_stream_policy',
] as const;

// Parameters that change nothing.
const harmless = [
  'user',
  'store',
  'metadata',
  'service_tier',
  'safety_identifier',
  'prompt_cache_key',
  'prompt_cache_retention',
  'parallel_tool_calls',
  'tool_choice',
  'function_call',
  'top_logprobs',
] as const;

const maxTokens = number({ min: 1, max: 100_000, whole: true });

/** The body of `POST /v1/chat/completions` for an answer from documents. */
export const requestSchema = fields({
  model: text({ max: 256 }).nullish(),
  messages: list(message, { min: 1, max: 1000 }),
  stream: flag.nullish(),
  stream_options: fieldsAmongOthers({ include_usage: flag.nullish() }).nullish(),
  temperature: number({ min: 0, max: 2 }).nullish(),
  max_tokens: maxTokens.nullish(),
  max_completion_tokens: maxTokens.nullish(),
  corpora: list(text({ min: 1, max: 64 }), { max: 32 }).nullish(),
  top_k: number({ min: 1, max: 50, whole: true }).nullish(),
  language: word(languagesByWord).nullish(),
  tool_decision: fields({ call_id: text({ min: 1, max: 64 }), approved: flag }).nullish(),
  n: z.literal(1, 'must be 1: ask once for each choice').nullish(),
  tools: refusedUnlessEmpty(noTools),
  functions: refusedUnlessEmpty(noTools),
  logprobs: refusedUnlessEmpty('is not supported: probabilities of tokens are not known'),
  modalities: list(word({ text: 'text' }), { max: 1 }).nullish(),
  audio: refusedUnlessEmpty('is not supported: answers are text'),
  web_search_options: refusedUnlessEmpty('is not supported: answers come from documents'),
  response_format: responseFormatSchema.nullish(),
  ...anyFields([...tuning, ...harmless]),
});
