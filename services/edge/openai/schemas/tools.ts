import { z } from 'zod';
import { ToolChoiceMode } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { anyFields, fields, fieldsAmongOthers, flag, list, text, word } from '../../http/fields.ts';

const maxSchemaBytes = 65_536;
const name = text({ min: 1, max: 64 });
const description = text({ max: 4096 });
// Agents write pages about a tool.
const toolDescription = text({ max: 65_536 });
const isFunction = word({ function: 'function' }).nullish();

/** A JSON Schema, passed on unchanged, as JSON. */
export const jsonSchema = z
  .custom<object>((value) => typeof value === 'object' && value !== null && !Array.isArray(value), 'must be an object')
  .transform((value) => JSON.stringify(value))
  .refine((json) => Buffer.byteLength(json) <= maxSchemaBytes, `is a schema of more than ${maxSchemaBytes} bytes`);

/** `tools`: functions. */
export const toolsSchema = list(
  fieldsAmongOthers({
    type: isFunction,
    function: fieldsAmongOthers({
      name,
      description: toolDescription.nullish(),
      parameters: jsonSchema.nullish(),
      strict: flag.nullish(),
    }),
  }),
  { max: 128 },
);

/** How a model chooses among tools. */
export const modes = {
  auto: ToolChoiceMode.AUTO,
  none: ToolChoiceMode.NONE,
  required: ToolChoiceMode.REQUIRED,
} as const;

/** `tool_choice`: how to choose, or the one function that the model has to call. */
export const toolChoiceSchema = z.union(
  [word(modes), fields({ type: isFunction, function: fields({ name }) })],
  'must be auto, none, required or a function',
);

const namedJsonSchema = fields({
  name: name.regex(/^[A-Za-z0-9_-]+$/, 'may hold letters, digits, "_" and "-"'),
  description: description.nullish(),
  schema: jsonSchema.nullish(),
  strict: flag.nullish(),
});
const noSchema = anyFields(['json_schema']);

/** `response_format`: text, any JSON object, or JSON that fits a schema. */
export const responseFormatSchema = z.discriminatedUnion(
  'type',
  [
    fields({ type: z.literal('text'), ...noSchema }),
    fields({ type: z.literal('json_object'), ...noSchema }),
    fields({ type: z.literal('json_schema'), json_schema: namedJsonSchema }),
  ],
  'must be an object whose type is text, json_object or json_schema',
);

/** The tools of a body. */
export type SentTools = z.output<typeof toolsSchema>;
/** The choice of tools of a body. */
export type SentToolChoice = z.output<typeof toolChoiceSchema>;
/** The response format of a body. */
export type SentResponseFormat = z.output<typeof responseFormatSchema>;
