import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  type ResponseFormatSchema,
  ToolChoiceMode,
  type ToolChoiceSchema,
  type ToolSchema,
} from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { anything, badField, flag, list, object, type Reader, text, word } from '../http/fields.ts';

const maxSchemaBytes = 65_536;

const readTool = object(
  {
    type: word({ function: 'function' }),
    function: object({
      name: text({ min: 1, max: 64 }),
      description: text({ max: 4096 }),
      parameters: readSchema,
      strict: flag,
    }),
  },
  { others: 'ignore' },
);

/** A tool, and whether the caller wants its arguments held to their schema. */
export interface AskedTool {
  tool: MessageInitShape<typeof ToolSchema>;
  strict: boolean;
}

/** Reads `tools`: functions, with their names, each once. */
export const readTools: Reader<AskedTool[]> = (value, path) => {
  const names = new Set<string>();
  return list(readTool, { max: 128 })(value, path).map(({ function: declared }, index) => {
    const at = `${path}[${index}].function`;
    if (declared?.name === undefined) throw badField(`${at}.name`, 'is missing');
    if (names.has(declared.name)) throw badField(`${at}.name`, `"${declared.name}" is the name of another tool`);
    names.add(declared.name);
    return {
      tool: {
        name: declared.name,
        description: declared.description ?? '',
        parametersJson: declared.parameters ?? '',
      },
      strict: declared.strict ?? false,
    };
  });
};

const modes = {
  auto: ToolChoiceMode.AUTO,
  none: ToolChoiceMode.NONE,
  required: ToolChoiceMode.REQUIRED,
} as const;

const readNamed = object({
  type: word({ function: 'function' }),
  function: object({ name: text({ min: 1, max: 64 }) }),
});

/** Reads `tool_choice`: "auto", "none", "required", or the one function that has to be called. */
export const readToolChoice: Reader<MessageInitShape<typeof ToolChoiceSchema>> = (value, path) => {
  if (typeof value === 'string') return { mode: word<ToolChoiceMode>(modes)(value, path), name: '' };
  const { function: named } = readNamed(value, path);
  if (named?.name === undefined) throw badField(`${path}.function.name`, 'is missing');
  return { mode: ToolChoiceMode.NAMED, name: named.name };
};

const readFormat = object({
  type: word({ text: 'text', json_object: 'json_object', json_schema: 'json_schema' }),
  json_schema: object({
    name: text({ min: 1, max: 64 }),
    description: text({ max: 4096 }),
    schema: readSchema,
    strict: flag,
  }),
});

/** Reads `response_format`; `undefined` for free text. */
export function readResponseFormat(
  value: unknown,
  path: string,
): MessageInitShape<typeof ResponseFormatSchema> | undefined {
  const { type, json_schema: shape } = readFormat(value, path);
  switch (type) {
    case 'text':
      return undefined;
    case 'json_object':
      return { form: { case: 'jsonObject', value: {} } };
    case 'json_schema': {
      const at = `${path}.json_schema`;
      if (shape?.name === undefined) throw badField(`${at}.name`, 'is missing');
      if (!/^[A-Za-z0-9_-]+$/.test(shape.name)) throw badField(`${at}.name`, 'may hold letters, digits, "_" and "-"');
      const { name, description = '', schema: schemaJson = '{}', strict = false } = shape;
      return { form: { case: 'jsonSchema', value: { name, description, schemaJson, strict } } };
    }
    default:
      throw badField(`${path}.type`, 'is missing');
  }
}

// A schema is passed on unchanged.
function readSchema(value: unknown, path: string): string {
  object({}, { others: 'ignore' })(value, path);
  const json = JSON.stringify(anything(value, path));
  if (Buffer.byteLength(json) > maxSchemaBytes)
    throw badField(path, `is a schema of more than ${maxSchemaBytes} bytes`);
  return json;
}
