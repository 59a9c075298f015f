import { type DescField, type DescMessage, getOption, hasOption, ScalarType } from '@bufbuild/protobuf';
import { z } from 'zod';
import { field as fieldRules } from '#gen/buf/validate/validate_pb.ts';
import { listAdapters, loadAdapter } from '#kit/host/config/adapters.ts';
import { folderOf } from '#kit/host/config/chosen-adapters.ts';
import { ifSet } from '#kit/host/config/settings.ts';
import { commentOf, describe, hasSettings, portOf, serviceFolder } from './describe.ts';

/** A JSON Schema. */
type Schema = Record<string, unknown>;

/** A reference to an environment variable, in the place of a value. */
const variable = '\\$\\{[A-Za-z_][A-Za-z0-9_]*\\}';

/** Returns the JSON Schema of the configuration file, for editors. */
export async function renderSchema(config: DescMessage): Promise<string> {
  const definitions: Record<string, Schema> = {};
  const root = await messageSchema(config, definitions);
  const sorted = Object.fromEntries(Object.entries(definitions).sort(([a], [b]) => (a < b ? -1 : 1)));
  const schema = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'ragmesh.yaml',
    ...root,
    definitions: sorted,
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
}

async function messageSchema(
  message: DescMessage,
  definitions: Record<string, Schema>,
  port?: string,
): Promise<Schema> {
  const properties: Record<string, Schema> = {};
  for (const field of message.fields) properties[field.name] = await fieldSchema(field, definitions);
  const required = message.fields.filter((field) => describe(field).isRequired).map(({ name }) => name);
  return {
    description: commentOf(message),
    // A key without a value is a section of defaults.
    type: required.length === 0 ? ['object', 'null'] : 'object',
    properties,
    additionalProperties: false,
    ...(required.length > 0 && { required }),
    ...(port !== undefined && { allOf: await adapterRules(port, properties) }),
  };
}

/** The settings that each adapter of a port takes. Adds their names to the property `adapter`. */
async function adapterRules(port: string, properties: Record<string, Schema>): Promise<Schema[]> {
  const folder = folderOf(port, serviceFolder);
  const names = listAdapters(folder);
  properties.adapter = { description: properties.adapter?.description, enum: names };
  const rules: Schema[] = [];
  for (const name of names) {
    const { settings } = await loadAdapter(folder, name, port);
    const { $schema, ...schema } = z.toJSONSchema(z.strictObject(settings), { io: 'input', target: 'draft-7' });
    const needs = schema.required === undefined ? {} : { required: ['settings'] };
    rules.push({
      if: { properties: { adapter: { const: name } }, required: ['adapter'] },
      // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
      then: { properties: { settings: schema }, ...needs },
    });
  }
  return rules;
}

async function fieldSchema(field: DescField, definitions: Record<string, Schema>): Promise<Schema> {
  const { meaning, defaultText, defaultValue } = describe(field);
  const isLiteral = defaultValue !== undefined && field.message === undefined;
  const description = defaultText === '' ? meaning : `${meaning} Default: ${defaultText}.`;
  const about = { description: description.trim(), ...(isLiteral && { default: defaultValue }) };
  const one = hasSettings(field) ? await reference(field, definitions) : valueSchema(field);
  switch (field.fieldKind) {
    case 'list': {
      return { ...about, type: ['array', 'null'], items: one, ...limitsOf(field) };
    }
    case 'map':
      return { ...about, type: ['object', 'null'], additionalProperties: one };
    default:
      // In draft 7, keys beside $ref are ignored.
      return hasSettings(field) ? { ...about, allOf: [one] } : { ...about, ...one };
  }
}

async function reference(
  field: DescField & { message: DescMessage },
  definitions: Record<string, Schema>,
): Promise<Schema> {
  const port = portOf(field)?.port;
  const name = port === undefined ? field.message.name : `${field.message.name}-${port.replace('/', '-')}`;
  if (definitions[name] === undefined) {
    definitions[name] = {};
    definitions[name] = await messageSchema(field.message, definitions, port);
  }
  return { $ref: `#/definitions/${name}` };
}

interface Limits {
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  minItems?: number;
  maxItems?: number;
}

/** Returns the rules of a field in the words of JSON Schema. */
function limitsOf(field: DescField): Limits {
  const rules = hasOption(field, fieldRules) ? getOption(field, fieldRules).type : undefined;
  switch (rules?.case) {
    case 'float':
    case 'double':
    case 'uint32':
    case 'uint64': {
      const { greaterThan, lessThan } = rules.value;
      return {
        minimum: greaterThan.case === 'gte' ? Number(greaterThan.value) : 0,
        ...(lessThan.case === 'lte' && { maximum: Number(lessThan.value) }),
      };
    }
    case 'string':
      return defined({
        minLength: toNumber(ifSet(rules.value, 'minLen')),
        maxLength: toNumber(ifSet(rules.value, 'maxLen')),
        pattern: ifSet(rules.value, 'pattern'),
      });
    case 'repeated':
      return defined({
        minItems: toNumber(ifSet(rules.value, 'minItems')),
        maxItems: toNumber(ifSet(rules.value, 'maxItems')),
      });
    default:
      return {};
  }
}

const toNumber = (value: bigint | undefined) => (value === undefined ? undefined : Number(value));

function defined(values: Record<string, unknown>): Limits {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

function valueSchema(field: DescField): Schema {
  if (field.message?.typeName === 'google.protobuf.Timestamp') return { type: 'string', format: 'date-time' };
  if (field.message !== undefined) return { type: 'object' };
  if (field.enum !== undefined) {
    return { enum: field.enum.values.filter(({ number }) => number !== 0).map(({ name }) => name) };
  }
  const limits = limitsOf(field);
  switch (field.scalar) {
    case ScalarType.BOOL:
      return { type: 'boolean' };
    case ScalarType.STRING:
      return {
        type: 'string',
        ...limits,
        ...(limits.pattern !== undefined && { pattern: `${limits.pattern}|${variable}` }),
      };
    default: {
      const isFraction = field.scalar === ScalarType.FLOAT || field.scalar === ScalarType.DOUBLE;
      // A number may come from the environment.
      return { type: [isFraction ? 'number' : 'integer', 'string'], minimum: 0, ...limits, pattern: `^${variable}$` };
    }
  }
}
