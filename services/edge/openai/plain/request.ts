import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  type GenerateRequestSchema,
  MidStreamPolicy,
  ReasoningEffort,
} from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import type { HeaderReader } from '../../credentials/authenticate.ts';
import { badField, given, parseFields } from '../../http/parse-fields.ts';
import { toConversation } from '../messages.ts';
import { midStreamPolicySchema, passedOver, plainRequestSchema } from '../schemas/plain-request.ts';
import { toResponseFormat, toToolChoice, toTools } from '../tools.ts';

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

/** Longest JSON of the fields of a provider's own API, in bytes. */
const maxExtraBytes = 65_536;

/** The header that says what to do when a provider ends in the middle: "fail", "hold-back", "continue" or "restart". */
export const midStreamHeader = 'x-ragmesh-mid-stream-policy';

/** Efforts of reasoning by OpenAI's words. */
export const efforts = {
  none: ReasoningEffort.NONE,
  minimal: ReasoningEffort.LOW,
  low: ReasoningEffort.LOW,
  medium: ReasoningEffort.MEDIUM,
  high: ReasoningEffort.HIGH,
  xhigh: ReasoningEffort.HIGH,
} as const;

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
  const body = parseFields(plainRequestSchema, value);
  const { messages, warnings } = toConversation(body.messages, 'messages');
  for (const name of passedOver) {
    if ((body[name] ?? undefined) !== undefined) warnings.push(`${name} is not supported and was ignored`);
  }
  const effort = body.reasoning_effort ?? undefined;
  if (effort === 'minimal') warnings.push('reasoning_effort "minimal" was taken as "low"');
  if (effort === 'xhigh') warnings.push('reasoning_effort "xhigh" was taken as "high"');
  const tools = toTools(body.tools ?? [], 'tools');
  const toolChoice = body.tool_choice ? toToolChoice(body.tool_choice) : undefined;
  if (tools.some(({ strict }) => strict)) {
    warnings.push('strict of tools was ignored: the provider decides whether arguments follow their schema');
  }
  if (toolChoice?.name && !tools.some(({ tool }) => tool.name === toolChoice.name)) {
    throw badField('tool_choice.function.name', 'names none of the tools');
  }
  const stream = body.stream ?? false;
  const asked = policyOf(header, body.mid_stream_policy ?? undefined, stream);
  return {
    generate: {
      model: body.model ?? '',
      messages,
      requestId,
      limitKey,
      extraJson: extraJsonOf(body, plainRequestSchema.shape),
      // Nothing of a whole completion is shown before its end, so another target may always start again.
      midStreamPolicy: asked ?? (stream ? MidStreamPolicy.FAIL : MidStreamPolicy.HOLD_BACK),
      maxTokens: body.max_completion_tokens ?? body.max_tokens ?? 0,
      stop: typeof body.stop === 'string' ? [body.stop] : (body.stop ?? []),
      tools: tools.map(({ tool }) => tool),
      ...given('temperature', body.temperature),
      ...given('topP', body.top_p),
      ...given('seed', typeof body.seed === 'number' ? BigInt(body.seed) : undefined),
      ...given('frequencyPenalty', body.frequency_penalty),
      ...given('presencePenalty', body.presence_penalty),
      ...given('toolChoice', toolChoice),
      ...given('parallelToolCalls', body.parallel_tool_calls),
      ...given('responseFormat', body.response_format && toResponseFormat(body.response_format)),
      ...given('reasoningEffort', effort === undefined ? undefined : efforts[effort]),
      ...given('language', body.language),
    },
    model: body.model ?? '',
    stream,
    includeUsage: body.stream_options?.include_usage ?? false,
    warnings,
  };
}

/** Returns the JSON of the fields that are the provider's own, beside the known ones; empty: there are none. */
export function extraJsonOf(body: Readonly<Record<string, unknown>>, known: object): string {
  const extra = Object.entries(body).filter(([name, sent]) => !(name in known) && sent !== null);
  const [first] = extra;
  if (first === undefined) return '';
  const json = JSON.stringify(Object.fromEntries(extra));
  if (Buffer.byteLength(json) <= maxExtraBytes) return json;
  throw badField(first[0], `has, with the other fields of the provider, more than ${maxExtraBytes} bytes`);
}

/** Returns the policy that the caller chose. Throws for one that would take back what a stream has sent. */
function policyOf(
  header: HeaderReader,
  field: MidStreamPolicy | undefined,
  stream: boolean,
): MidStreamPolicy | undefined {
  const value = header(midStreamHeader);
  const policy = value ? parseFields(midStreamPolicySchema, value, midStreamHeader) : field;
  if (stream && policy === MidStreamPolicy.RESTART) {
    const why = 'cannot be "restart" for a stream, whose words cannot be taken back: use "hold-back" or "continue"';
    throw badField(value ? midStreamHeader : 'mid_stream_policy', why);
  }
  return policy;
}
