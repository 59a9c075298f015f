import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  type GenerateRequestSchema,
  MidStreamPolicy,
  ReasoningEffort,
} from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import type { HeaderReader } from '../credentials/authenticate.ts';
import { anything, badField, flag, list, number, object, type Reader, text, word } from '../http/fields.ts';
import { languagesByWord } from '../sse/answer-json.ts';
import { type Conversation, readConversation } from './messages.ts';
import { readResponseFormat, readToolChoice, readTools } from './tools.ts';

/** A request for a completion of a plain model. */
export interface PlainRequest {
  generate: MessageInitShape<typeof GenerateRequestSchema>;
  model: string;
  stream: boolean;
  /** Whether a stream ends with a chunk of usage. */
  includeUsage: boolean;
  /** What was passed over, for the caller to know. */
  warnings: string[];
}

/** The header that says what to do when a provider ends in the middle: "fail" or "hold-back". */
export const midStreamHeader = 'x-ragmesh-mid-stream-policy';

const policies = {
  fail: MidStreamPolicy.FAIL,
  'hold-back': MidStreamPolicy.HOLD_BACK,
  hold_back: MidStreamPolicy.HOLD_BACK,
} as const;

const efforts = {
  none: ReasoningEffort.NONE,
  minimal: ReasoningEffort.LOW,
  low: ReasoningEffort.LOW,
  medium: ReasoningEffort.MEDIUM,
  high: ReasoningEffort.HIGH,
  xhigh: ReasoningEffort.HIGH,
} as const;

// Parameters that only tune a model's words and have no place in the gateway's contract: passed over, and the response says so.
const passedOver = ['logit_bias', 'verbosity', 'prediction'] as const;

// Parameters that mean nothing here and change nothing. Who calls is known by the credentials, never by `user`.
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

const readStop: Reader<string[]> = (value, path) =>
  typeof value === 'string'
    ? [text({ min: 1, max: 256 })(value, path)]
    : list(text({ min: 1, max: 256 }), { max: 8 })(value, path);

const maxTokens = number({ min: 1, max: 1_000_000, whole: true });
const penalty = number({ min: -2, max: 2 });

const readBody = object({
  model: text({ max: 256 }),
  messages: ((value, path) => readConversation(value, path)) as Reader<Conversation>,
  stream: flag,
  stream_options: object({ include_usage: flag }, { others: 'ignore' }),
  temperature: number({ min: 0, max: 2 }),
  top_p: number({ min: 0, max: 1 }),
  max_tokens: maxTokens,
  max_completion_tokens: maxTokens,
  n: onlyOne,
  stop: readStop,
  seed: number({ min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER, whole: true }),
  frequency_penalty: penalty,
  presence_penalty: penalty,
  tools: readTools,
  tool_choice: readToolChoice,
  parallel_tool_calls: flag,
  response_format: readResponseFormat,
  reasoning_effort: word<keyof typeof efforts>({
    none: 'none',
    minimal: 'minimal',
    low: 'low',
    medium: 'medium',
    high: 'high',
    xhigh: 'xhigh',
  }),
  language: word(languagesByWord),
  mid_stream_policy: word<MidStreamPolicy>(policies),
  functions: refuseUnlessEmpty('is the old form: send tools'),
  function_call: refuseUnlessEmpty('is the old form: send tool_choice'),
  logprobs: refuseUnlessEmpty('is not supported: probabilities of tokens are not returned'),
  modalities: list(word({ text: 'text' }), { max: 1 }),
  audio: refuseUnlessEmpty('is not supported: completions are text'),
  web_search_options: refuseUnlessEmpty('is not supported: a model of the gateway does not search'),
  corpora: refuseUnlessEmpty('is for the models that answer from documents: "ragmesh" and "ragmesh/<model>"'),
  top_k: refuseUnlessEmpty('is for the models that answer from documents: "ragmesh" and "ragmesh/<model>"'),
  ...(Object.fromEntries([...passedOver, ...harmless].map((name) => [name, anything])) as Record<
    (typeof passedOver)[number] | (typeof harmless)[number],
    Reader<unknown>
  >),
});

/** Who asks, and under which id. */
export interface Asking {
  requestId: string;
  /** The caller's key for limits; empty: none. */
  limitKey: string;
}

/**
 * Reads the body of `POST /v1/chat/completions` for a model of the gateway. What would change the meaning of a completion and
 * cannot be done is refused; what only tunes its words is passed over, with a warning.
 */
export function readPlainRequest(value: unknown, header: HeaderReader, { requestId, limitKey }: Asking): PlainRequest {
  const body = readBody(value, '');
  if (body.messages === undefined) throw badField('messages', 'is missing');
  const { messages, warnings } = body.messages;
  for (const name of passedOver) {
    if (body[name] !== undefined) warnings.push(`${name} is not supported and was ignored`);
  }
  const effort = body.reasoning_effort;
  if (effort === 'minimal') warnings.push('reasoning_effort "minimal" was taken as "low"');
  if (effort === 'xhigh') warnings.push('reasoning_effort "xhigh" was taken as "high"');
  const tools = body.tools ?? [];
  if (tools.some(({ strict }) => strict)) {
    warnings.push('strict of tools was ignored: the provider decides whether arguments follow their schema');
  }
  if (body.tool_choice?.name && !tools.some(({ tool }) => tool.name === body.tool_choice?.name)) {
    throw badField('tool_choice.function.name', 'names none of the tools');
  }
  const stream = body.stream ?? false;
  const asked = readPolicyHeader(header) ?? body.mid_stream_policy;
  return {
    generate: {
      model: body.model ?? '',
      messages,
      requestId,
      limitKey,
      // Nothing of a whole completion is shown before its end, so another target may always start again.
      midStreamPolicy: asked ?? (stream ? MidStreamPolicy.FAIL : MidStreamPolicy.HOLD_BACK),
      maxTokens: body.max_completion_tokens ?? body.max_tokens ?? 0,
      stop: body.stop ?? [],
      tools: tools.map(({ tool }) => tool),
      ...given('temperature', body.temperature),
      ...given('topP', body.top_p),
      ...given('seed', body.seed === undefined ? undefined : BigInt(body.seed)),
      ...given('frequencyPenalty', body.frequency_penalty),
      ...given('presencePenalty', body.presence_penalty),
      ...given('toolChoice', body.tool_choice),
      ...given('parallelToolCalls', body.parallel_tool_calls),
      ...given('responseFormat', body.response_format),
      ...given('reasoningEffort', effort === undefined ? undefined : efforts[effort]),
      ...given('language', body.language),
    },
    model: body.model ?? '',
    stream,
    includeUsage: body.stream_options?.include_usage ?? false,
    warnings,
  };
}

function readPolicyHeader(header: HeaderReader): MidStreamPolicy | undefined {
  const value = header(midStreamHeader);
  return value ? word<MidStreamPolicy>(policies)(value, midStreamHeader) : undefined;
}

function given<Name extends string, T>(name: Name, value: T | undefined) {
  return (value === undefined ? {} : { [name]: value }) as { [K in Name]?: T };
}

function onlyOne(value: unknown, path: string): undefined {
  if (value !== 1) throw badField(path, 'must be 1: ask once for each choice');
  return undefined;
}

function refuseUnlessEmpty(why: string): Reader<undefined> {
  return (value, path) => {
    const isEmpty = value === false || (Array.isArray(value) && value.length === 0);
    if (!isEmpty) throw badField(path, why);
    return undefined;
  };
}
