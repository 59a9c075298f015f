import { z } from 'zod';
import { MidStreamPolicy } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import {
  anyFields,
  fieldsAmongOthers,
  fieldsAndOthers,
  flag,
  list,
  number,
  refusedUnlessEmpty,
  text,
  word,
} from '../../http/fields.ts';
import { languagesByWord } from '../../sse/answer-json.ts';
import { messagesSchema } from './messages.ts';
import { responseFormatSchema, toolChoiceSchema, toolsSchema } from './tools.ts';

/** What to do when a provider ends in the middle. */
export const midStreamPolicySchema = word({
  fail: MidStreamPolicy.FAIL,
  'hold-back': MidStreamPolicy.HOLD_BACK,
  hold_back: MidStreamPolicy.HOLD_BACK,
  continue: MidStreamPolicy.CONTINUE_OR_FAIL,
  restart: MidStreamPolicy.RESTART,
});

/** Parameters that only tune a model's words and that the gateway does not have: ignored, with a warning. */
export const passedOver = ['logit_bias', 'verbosity', 'prediction'] as const;

// Parameters that change nothing. The credentials identify the caller, never `user`.
const harmless = [
  'user',
  'store',
  'metadata',
  'service_tier',
  'safety_identifier',
  'prompt_cache_key',
  'prompt_cache_retention',
  'top_logprobs',
] as const;

const stopText = text({ min: 1, max: 256 });
const maxTokens = number({ min: 1, max: 1_000_000, whole: true });
const penalty = number({ min: -2, max: 2 });
const efforts = {
  none: 'none',
  minimal: 'minimal',
  low: 'low',
  medium: 'medium',
  high: 'high',
  xhigh: 'xhigh',
} as const;
const forDocuments = 'is for the models that answer from documents: "ragmesh" and "ragmesh/<model>"';

/**
 * The body of `POST /v1/chat/completions` for a plain model. Other fields are the provider's own: the gateway knows which model takes
 * them.
 */
export const plainRequestSchema = fieldsAndOthers({
  model: text({ max: 256 }).nullish(),
  messages: messagesSchema,
  stream: flag.nullish(),
  stream_options: fieldsAmongOthers({ include_usage: flag.nullish() }).nullish(),
  temperature: number({ min: 0, max: 2 }).nullish(),
  top_p: number({ min: 0, max: 1 }).nullish(),
  max_tokens: maxTokens.nullish(),
  max_completion_tokens: maxTokens.nullish(),
  n: z.literal(1, 'must be 1: ask once for each choice').nullish(),
  stop: z.union([stopText, list(stopText, { max: 8 })], 'must be a text or a list of texts').nullish(),
  seed: number({ min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER, whole: true }).nullish(),
  frequency_penalty: penalty.nullish(),
  presence_penalty: penalty.nullish(),
  tools: toolsSchema.nullish(),
  tool_choice: toolChoiceSchema.nullish(),
  parallel_tool_calls: flag.nullish(),
  response_format: responseFormatSchema.nullish(),
  reasoning_effort: word(efforts).nullish(),
  language: word(languagesByWord).nullish(),
  mid_stream_policy: midStreamPolicySchema.nullish(),
  functions: refusedUnlessEmpty('is the old form: send tools'),
  function_call: refusedUnlessEmpty('is the old form: send tool_choice'),
  logprobs: refusedUnlessEmpty('is not supported: probabilities of tokens are not returned'),
  modalities: list(word({ text: 'text' }), { max: 1 }).nullish(),
  audio: refusedUnlessEmpty('is not supported: completions are text'),
  web_search_options: refusedUnlessEmpty('is not supported: a model of the gateway does not search'),
  corpora: refusedUnlessEmpty(forDocuments),
  ...anyFields([...passedOver, ...harmless]),
});
