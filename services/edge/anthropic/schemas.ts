import { z } from 'zod';
import { fieldsAmongOthers, flag, list, number, text, word } from '../http/fields.ts';
import { languagesByWord } from '../sse/answer-json.ts';

// Anthropic's Messages API (docs.claude.com/en/api/messages) as zod schemas. Clients send fields of many betas: a field that is not
// known is ignored, and a block or tool that is not known is refused.

const maxTextLength = 4 << 20;
const maxBlocks = 1000;
const maxSchemaBytes = 65_536;

/** A wish that the provider caches the prompt up to here; read as seconds. */
const cacheControl = fieldsAmongOthers({ ttl: word({ '5m': 300, '1h': 3600 }).nullish() })
  .transform(({ ttl }) => ttl ?? 300)
  .nullish();
const cached = { cache_control: cacheControl };

const textBlock = fieldsAmongOthers({ ...cached, type: z.literal('text'), text: text({ max: maxTextLength }) });

const imageSource = z.discriminatedUnion(
  'type',
  [
    fieldsAmongOthers({
      type: z.literal('base64'),
      media_type: text({ max: 64 }),
      data: text({ min: 1, max: maxTextLength }),
    }),
    fieldsAmongOthers({ type: z.literal('url'), url: text({ min: 1, max: 2048 }) }),
  ],
  'must have the type base64 or url: files of the Files API are not kept here',
);
const imageBlock = fieldsAmongOthers({ ...cached, type: z.literal('image'), source: imageSource });

const searchResultBlock = fieldsAmongOthers({
  ...cached,
  type: z.literal('search_result'),
  source: text({ max: 4096 }),
  title: text({ max: 4096 }),
  content: list(textBlock, { max: maxBlocks }),
});

const documentSource = z.discriminatedUnion(
  'type',
  [
    fieldsAmongOthers({ type: z.literal('text'), data: text({ max: maxTextLength }) }),
    fieldsAmongOthers({
      type: z.literal('content'),
      content: z.union([text({ max: maxTextLength }), list(textBlock, { max: maxBlocks })]),
    }),
  ],
  'must have the type text or content: send the text of a PDF, or index it and ask a model that answers from documents',
);
const documentBlock = fieldsAmongOthers({
  ...cached,
  type: z.literal('document'),
  source: documentSource,
  title: text({ max: 4096 }).nullish(),
  context: text({ max: maxTextLength }).nullish(),
});

const unknownBlock = 'is a type of block that is not supported here';
const resultPart = z.discriminatedUnion(
  'type',
  [textBlock, imageBlock, searchResultBlock, documentBlock],
  unknownBlock,
);

const block = z.discriminatedUnion(
  'type',
  [
    textBlock,
    imageBlock,
    searchResultBlock,
    documentBlock,
    fieldsAmongOthers({ type: z.literal('thinking'), thinking: text({ max: maxTextLength }) }),
    fieldsAmongOthers({ type: z.literal('redacted_thinking') }),
    fieldsAmongOthers({
      ...cached,
      type: z.literal('tool_use'),
      id: text({ min: 1, max: 256 }),
      name: text({ min: 1, max: 128 }),
      input: z.record(z.string(), z.unknown(), 'must be an object'),
    }),
    fieldsAmongOthers({
      ...cached,
      type: z.literal('tool_result'),
      tool_use_id: text({ min: 1, max: 256 }),
      content: z.union([text({ max: maxTextLength }), list(resultPart, { max: maxBlocks })]).nullish(),
      is_error: flag.nullish(),
    }),
  ],
  unknownBlock,
);

const message = fieldsAmongOthers({
  role: word({ user: 'user', assistant: 'assistant', system: 'system' }),
  content: z.union(
    [text({ max: maxTextLength }), list(block, { max: maxBlocks })],
    'must be a text or a list of blocks',
  ),
});

const toolName = text({ min: 1, max: 128 });
const inputSchema = z
  .record(z.string(), z.unknown(), 'must be an object')
  .transform((schema) => JSON.stringify(schema))
  .refine((json) => Buffer.byteLength(json) <= maxSchemaBytes, `is a schema of more than ${maxSchemaBytes} bytes`);

const tool = fieldsAmongOthers({
  ...cached,
  type: z.literal('custom', 'is a tool of the provider: only tools that the caller runs are supported').nullish(),
  name: toolName,
  description: text({ max: 65_536 }).nullish(),
  input_schema: inputSchema,
});

const parallel = { disable_parallel_tool_use: flag.nullish() };
const toolChoice = z.discriminatedUnion(
  'type',
  [
    fieldsAmongOthers({ type: z.literal('auto'), ...parallel }),
    fieldsAmongOthers({ type: z.literal('any'), ...parallel }),
    fieldsAmongOthers({ type: z.literal('tool'), name: toolName, ...parallel }),
    fieldsAmongOthers({ type: z.literal('none') }),
  ],
  'must have the type auto, any, tool or none',
);

const thinking = z.discriminatedUnion(
  'type',
  [
    fieldsAmongOthers({
      type: z.literal('enabled'),
      budget_tokens: number({ min: 1, max: 1_000_000, whole: true }),
    }),
    fieldsAmongOthers({ type: z.literal('adaptive') }),
    fieldsAmongOthers({ type: z.literal('disabled') }),
    fieldsAmongOthers({ type: z.literal('between_tools') }),
  ],
  'must have the type enabled, adaptive, between_tools or disabled',
);

const format = fieldsAmongOthers({ type: word({ json_schema: 'json_schema' }), schema: inputSchema });
const efforts = { low: 'low', medium: 'medium', high: 'high', xhigh: 'xhigh', max: 'max' } as const;

const refusedUnlessEmpty = (why: string) =>
  z.custom<null | never[]>((value) => value === null || (Array.isArray(value) && value.length === 0), why).optional();

const prompt = {
  ...cached,
  model: text({ min: 1, max: 256 }),
  messages: list(message, { min: 1, max: 1000 }),
  system: z.union([text({ max: maxTextLength }), list(textBlock, { max: 100 })], 'must be a text or texts').nullish(),
  tools: list(tool, { max: 128 }).nullish(),
  tool_choice: toolChoice.nullish(),
  thinking: thinking.nullish(),
};

/** The body of `POST /v1/messages`. */
export const messagesSchema = fieldsAmongOthers({
  ...prompt,
  max_tokens: number({ min: 1, max: 1_000_000, whole: true }),
  stream: flag.nullish(),
  stop_sequences: list(text({ min: 1, max: 256 }), { max: 8 }).nullish(),
  temperature: number({ min: 0, max: 1 }).nullish(),
  top_p: number({ min: 0, max: 1 }).nullish(),
  top_k: number({ min: 0, max: 1_000_000, whole: true }).nullish(),
  output_config: fieldsAmongOthers({ effort: word(efforts).nullish(), format: format.nullish() }).nullish(),
  // The older name.
  output_format: format.nullish(),
  mcp_servers: refusedUnlessEmpty(
    'is not supported: the gateway connects models to no servers; use the tools of the client',
  ),
  container: refusedUnlessEmpty('is not supported: nothing runs code here'),
  // ragmesh's own, for the models that answer from documents.
  corpora: list(text({ min: 1, max: 64 }), { max: 32 }).nullish(),
  language: word(languagesByWord).nullish(),
});

/** The body of `POST /v1/messages/count_tokens`. */
export const countTokensSchema = fieldsAmongOthers(prompt);

/** A body for a message. */
export type SentBody = z.output<typeof messagesSchema>;
/** A body whose tokens are counted. */
export type SentPrompt = z.output<typeof countTokensSchema>;
/** A block of a message. */
export type SentBlock = z.output<typeof block>;
/** A part of the result of a tool. */
export type SentResultPart = z.output<typeof resultPart>;
