import {
  type DescField,
  type DescFile,
  type DescMessage,
  type DescMethod,
  getOption,
  hasOption,
  type JsonObject,
  ScalarType,
} from '@bufbuild/protobuf';
import { field as fieldRules } from '#gen/buf/validate/validate_pb.ts';

/** Messages inside of messages that are described; deeper ones are any object. */
const maxDepth = 5;

/** Returns the JSON Schema of a message in protobuf's JSON form, with the names of the contract and its rules for texts (protovalidate). */
export function schemaOf(message: DescMessage, depth = 0): JsonObject {
  if (message.typeName === 'google.protobuf.Timestamp') return { type: 'string', format: 'date-time' };
  if (message.typeName.startsWith('google.protobuf.') || depth > maxDepth) return {};
  const properties = Object.fromEntries(message.fields.map((field) => [field.name, fieldSchema(field, depth)]));
  const required = message.fields.filter(isRequired).map(({ name }) => name);
  return { type: 'object', properties, ...(required.length > 0 && { required }), additionalProperties: false };
}

/** Returns the comment of a method; empty if its descriptor has none. */
export function commentOf(method: DescMethod): string {
  const { parent } = method;
  return commentAt(parent.file, [6, parent.file.services.indexOf(parent), 2, parent.methods.indexOf(method)]);
}

function fieldSchema(field: DescField, depth: number): JsonObject {
  const comment = commentAt(field.parent.file, [...pathOf(field.parent), 2, field.parent.fields.indexOf(field)]);
  const about: JsonObject = comment === '' ? {} : { description: comment };
  switch (field.fieldKind) {
    case 'list':
      return { ...about, type: 'array', items: valueSchema(field.listKind, field, depth) };
    case 'map':
      return { ...about, type: 'object', additionalProperties: valueSchema(field.mapKind, field, depth) };
    default:
      return { ...about, ...valueSchema(field.fieldKind, field, depth) };
  }
}

function valueSchema(kind: 'scalar' | 'enum' | 'message', field: DescField, depth: number): JsonObject {
  if (kind === 'message' && field.message !== undefined) return schemaOf(field.message, depth + 1);
  if (kind === 'enum' && field.enum !== undefined) {
    return { type: 'string', enum: field.enum.values.map(({ name }) => name) };
  }
  switch (field.scalar) {
    case ScalarType.BOOL:
      return { type: 'boolean' };
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return { type: 'number' };
    case ScalarType.INT32:
    case ScalarType.UINT32:
    case ScalarType.SINT32:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return { type: 'integer' };
    case ScalarType.STRING:
      return { type: 'string', ...textRules(field) };
    // 64 bits and bytes are texts in JSON.
    default:
      return { type: 'string' };
  }
}

function textRules(field: DescField): JsonObject {
  const rules = hasOption(field, fieldRules) ? getOption(field, fieldRules).type : undefined;
  if (rules?.case !== 'string') return {};
  const { minLen, maxLen, pattern } = rules.value;
  return {
    ...(minLen > 0n && { minLength: Number(minLen) }),
    ...(maxLen > 0n && { maxLength: Number(maxLen) }),
    ...(pattern !== '' && { pattern }),
  };
}

// Proto3 has no required fields; what must not be empty is required.
function isRequired(field: DescField): boolean {
  if (!hasOption(field, fieldRules)) return false;
  const { required, type } = getOption(field, fieldRules);
  return required || (type.case === 'string' && type.value.minLen > 0n);
}

// A path has numbers of fields of FileDescriptorProto and DescriptorProto, and indices.
function commentAt({ proto }: DescFile, path: readonly number[]): string {
  const found = proto.sourceCodeInfo?.location.find((location) => location.path.join() === path.join());
  return (found?.leadingComments ?? '').replaceAll(/\s+/g, ' ').trim();
}

function pathOf({ parent, file, proto }: DescMessage): number[] {
  if (parent !== undefined)
    return [...pathOf(parent), 3, parent.nestedMessages.findIndex((nested) => nested.proto === proto)];
  return [4, file.messages.findIndex((message) => message.proto === proto)];
}
