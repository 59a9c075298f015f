import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  type ResponseFormatSchema,
  ToolChoiceMode,
  type ToolChoiceSchema,
  type ToolSchema,
} from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { badField } from '../http/parse-fields.ts';
import type { SentResponseFormat, SentToolChoice, SentTools } from './schemas/tools.ts';

/** A tool, and whether the caller wants its arguments held to their schema. */
export interface AskedTool {
  tool: MessageInitShape<typeof ToolSchema>;
  strict: boolean;
}

/** Returns the tools of `path`. Throws FIELD_INVALID if two have the same name. */
export function toTools(sent: SentTools, path: string): AskedTool[] {
  const names = new Set<string>();
  return sent.map(({ function: { name, description, parameters, strict } }, index) => {
    if (names.has(name)) throw badField(`${path}[${index}].function.name`, `"${name}" is the name of another tool`);
    names.add(name);
    return {
      tool: { name, description: description ?? '', parametersJson: parameters ?? '' },
      strict: strict ?? false,
    };
  });
}

/** Returns how the model chooses among the tools. */
export function toToolChoice(sent: SentToolChoice): MessageInitShape<typeof ToolChoiceSchema> {
  if (typeof sent !== 'object') return { mode: sent, name: '' };
  return { mode: ToolChoiceMode.NAMED, name: sent.function.name };
}

/** Returns the format of the response; `undefined` for free text. */
export function toResponseFormat(sent: SentResponseFormat): MessageInitShape<typeof ResponseFormatSchema> | undefined {
  switch (sent.type) {
    case 'text':
      return undefined;
    case 'json_object':
      return { form: { case: 'jsonObject', value: {} } };
    case 'json_schema': {
      const { name, description, schema, strict } = sent.json_schema;
      return {
        form: {
          case: 'jsonSchema',
          value: { name, description: description ?? '', schemaJson: schema ?? '{}', strict: strict ?? false },
        },
      };
    }
  }
}
