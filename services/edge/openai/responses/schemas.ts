import { z } from 'zod';
import { MessageRole } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
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
import { jsonSchema, modes } from '../schemas/tools.ts';

const maxTextLength = 4 << 20;
const maxParts = 1000;

const part = z.discriminatedUnion(
  'type',
  [
    fieldsAmongOthers({ type: z.enum(['input_text', 'output_text', 'text']), text: text({ max: maxTextLength }) }),
    fieldsAmongOthers({ type: z.literal('refusal'), refusal: text({ max: maxTextLength }) }),
    fieldsAmongOthers({
      type: z.literal('input_image'),
      image_url: text({ min: 1, max: maxTextLength }).nullish(),
      detail: z.unknown().optional(),
    }),
  ],
  'must be input_text, output_text, refusal or input_image: files are not kept here',
);
const content = z.union([text({ max: maxTextLength }), list(part, { max: maxParts })], 'must be a text or parts');
const thought = list(fieldsAmongOthers({ text: text({ max: maxTextLength }) }), { max: maxParts });

const message = fieldsAmongOthers({
  type: z.literal('message'),
  role: word({
    system: MessageRole.SYSTEM,
    developer: MessageRole.SYSTEM,
    user: MessageRole.USER,
    assistant: MessageRole.ASSISTANT,
  }),
  content,
});
const item = z.preprocess(
  // A message may come without its type.
  (value) =>
    typeof value === 'object' && value !== null && 'role' in value && !('type' in value)
      ? { ...value, type: 'message' }
      : value,
  z.discriminatedUnion(
    'type',
    [
      message,
      fieldsAmongOthers({
        type: z.literal('function_call'),
        call_id: text({ min: 1, max: 256 }),
        name: text({ min: 1, max: 64 }),
        arguments: text({ max: 1 << 20 }),
      }),
      fieldsAmongOthers({
        type: z.literal('function_call_output'),
        call_id: text({ min: 1, max: 256 }),
        output: content,
      }),
      fieldsAmongOthers({ type: z.literal('reasoning'), summary: thought.nullish(), content: thought.nullish() }),
      // Requests and decisions of approval: those of the tools that answers from documents propose.
      fieldsAmongOthers({ type: z.literal('mcp_approval_request') }),
      fieldsAmongOthers({
        type: z.literal('mcp_approval_response'),
        approval_request_id: text({ min: 1, max: 64 }),
        approve: flag,
      }),
    ],
    'is a type of item that is not supported: items are not kept here, so send them whole',
  ),
);

const tool = z.discriminatedUnion(
  'type',
  [
    fieldsAmongOthers({
      type: z.literal('function'),
      name: text({ min: 1, max: 64 }),
      description: text({ max: 65_536 }).nullish(),
      parameters: jsonSchema.nullish(),
      strict: flag.nullish(),
    }),
  ],
  'is a tool of the provider: only functions, which the caller runs, are supported',
);

const format = z.discriminatedUnion(
  'type',
  [
    fieldsAmongOthers({ type: z.literal('text') }),
    fieldsAmongOthers({ type: z.literal('json_object') }),
    fieldsAmongOthers({
      type: z.literal('json_schema'),
      name: text({ min: 1, max: 64 }).regex(/^[A-Za-z0-9_-]+$/, 'may hold letters, digits, "_" and "-"'),
      description: text({ max: 4096 }).nullish(),
      schema: jsonSchema,
      strict: flag.nullish(),
    }),
  ],
  'must have the type text, json_object or json_schema',
);
const efforts = {
  none: 'none',
  minimal: 'minimal',
  low: 'low',
  medium: 'medium',
  high: 'high',
  xhigh: 'xhigh',
  max: 'xhigh',
} as const;

const notKept = 'is not supported: responses are not kept beside the sessions of answers from documents';

/** The body of `POST /v1/responses`. */
export const responsesSchema = fieldsAndOthers({
  model: text({ max: 256 }).nullish(),
  input: z.union([text({ min: 1, max: maxTextLength }), list(item, { min: 1, max: 1000 })], 'must be a text or items'),
  instructions: text({ max: maxTextLength }).nullish(),
  stream: flag.nullish(),
  store: flag.nullish(),
  previous_response_id: text({ min: 1, max: 256 }).nullish(),
  max_output_tokens: number({ min: 1, max: 1_000_000, whole: true }).nullish(),
  temperature: number({ min: 0, max: 2 }).nullish(),
  top_p: number({ min: 0, max: 1 }).nullish(),
  tools: list(tool, { max: 128 }).nullish(),
  tool_choice: z
    .union(
      [word(modes), fieldsAmongOthers({ type: z.literal('function'), name: text({ min: 1, max: 64 }) })],
      'must be auto, none, required or a function',
    )
    .nullish(),
  parallel_tool_calls: flag.nullish(),
  text: fieldsAmongOthers({ format: format.nullish() }).nullish(),
  reasoning: fieldsAmongOthers({ effort: word(efforts).nullish() }).nullish(),
  metadata: z.record(z.string(), z.string()).nullish(),
  background: z.literal(false, notKept).nullish(),
  conversation: refusedUnlessEmpty(notKept),
  prompt: refusedUnlessEmpty('is not supported: prompts are not kept here'),
  corpora: list(text({ min: 1, max: 64 }), { max: 32 }).nullish(),
  language: word(languagesByWord).nullish(),
  ...anyFields([
    'include',
    'truncation',
    'user',
    'service_tier',
    'safety_identifier',
    'stream_options',
    'max_tool_calls',
  ]),
  ...anyFields([
    'prompt_cache_key',
    'prompt_cache_retention',
    'prompt_cache_options',
    'top_logprobs',
    'context_management',
  ]),
  ...anyFields(['client_metadata', 'moderation', 'access_programs']),
});

/** A body. */
export type SentResponse = z.output<typeof responsesSchema>;
/** An item of the input. */
export type SentItem = Exclude<SentResponse['input'], string>[number];
/** A part of a message. */
export type SentItemPart = z.output<typeof part>;
