import { type DescField, type DescMessage, fromJson, type JsonObject, type JsonValue } from '@bufbuild/protobuf';
import { ConfigError, unknownName } from '../../base/config-error.ts';
import { kindOf, rangeOf } from './setting-range.ts';

// Protobuf's JSON reader stops at the first bad key and does not give its path; this walk finds all of them.

type Env = Readonly<Record<string, string | undefined>>;

interface Walk {
  readonly env: Env;
  readonly problems: ConfigError[];
  /** Paths of values that a variable has set, whole or in part. */
  readonly environmentPaths: string[];
}

/**
 * Returns `raw` as JSON that protobuf's reader accepts for `schema`, with `${NAME}` in strings replaced from `env`. Adds a problem for
 * each unknown key, value of a wrong type and missing variable, and leaves that value out; adds the path of each value with a variable.
 */
export function readShape(schema: DescMessage, raw: unknown, walk: Walk): JsonValue {
  return readMessage(schema, raw, '', walk) ?? {};
}

function readMessage(schema: DescMessage, raw: unknown, path: string, walk: Walk): JsonValue | undefined {
  if (schema.typeName.startsWith('google.protobuf.')) return fill(raw, path, walk);
  if (!isMapping(raw)) {
    // A key without a value is an empty section: all that it holds may be commented out.
    if (raw === null || raw === undefined) return {};
    walk.problems.push(
      new ConfigError(path || 'configuration', `must be a mapping with keys, not ${kindOfValue(raw)}`),
    );
    return undefined;
  }
  const read: JsonObject = {};
  for (const [key, child] of Object.entries(raw)) {
    const field = schema.fields.find(({ name, jsonName }) => key === name || key === jsonName);
    if (field === undefined) {
      const names = schema.fields.map(({ name }) => name);
      walk.problems.push(new ConfigError(join(path, key), unknownName('key', key, names), names));
      continue;
    }
    const value = readField(schema, field, child, join(path, field.name), walk);
    if (value !== undefined) read[field.name] = value;
  }
  return read;
}

function readField(schema: DescMessage, field: DescField, raw: unknown, path: string, walk: Walk) {
  const { message } = field;
  if (field.fieldKind === 'list') {
    if (raw === null) return undefined;
    if (!Array.isArray(raw)) {
      walk.problems.push(new ConfigError(path, `must be a list, not ${kindOfValue(raw)}`));
      return undefined;
    }
    const elements = raw.map((element, index) =>
      message === undefined
        ? fill(element, `${path}[${index}]`, walk)
        : readMessage(message, element, `${path}[${index}]`, walk),
    );
    return checked(
      schema,
      field,
      elements.map((element) => element ?? {}),
      raw,
      path,
      walk,
    );
  }
  if (field.fieldKind === 'map' && message !== undefined && isMapping(raw)) {
    const entries = Object.entries(raw).map(([key, value]) => [
      key,
      readMessage(message, value, join(path, key), walk) ?? {},
    ]);
    return Object.fromEntries(entries) as JsonObject;
  }
  if (field.fieldKind === 'message') {
    const value = readMessage(field.message, raw, path, walk);
    return value === undefined ? undefined : checked(schema, field, value, raw, path, walk);
  }
  return checked(schema, field, fill(raw, path, walk), raw, path, walk);
}

/** Returns the value if protobuf can read it as the field; otherwise adds a problem. */
function checked(
  schema: DescMessage,
  field: DescField,
  value: JsonValue,
  raw: unknown,
  path: string,
  { problems }: Walk,
): JsonValue | undefined {
  if (value === null) return undefined;
  try {
    fromJson(schema, { [field.name]: value });
    return value;
  } catch (error) {
    const isKnown = problems.some((problem) => problem.path.startsWith(path));
    if (isKnown) return undefined;
    const range = rangeOf(field);
    const isPlain = field.fieldKind === 'scalar' || field.fieldKind === 'enum';
    const problem = isPlain
      ? `${showValue(field, raw)}: ${kindOf(field)} is needed`
      : (error as Error).message.replace(/^.* from JSON: /, '');
    problems.push(new ConfigError(path, problem, range === undefined ? undefined : [range]));
    return undefined;
  }
}

const variable = /\$\{([A-Za-z_][A-Za-z0-9_]*)\}/;
const variables = new RegExp(variable, 'g');

function fill(value: unknown, path: string, walk: Walk): JsonValue {
  if (typeof value === 'string') {
    if (variable.test(value)) walk.environmentPaths.push(path);
    return value.replaceAll(variables, (_, name: string) => {
      const found = walk.env[name];
      if (found === undefined) {
        walk.problems.push(new ConfigError(path, `the environment variable ${name} is not set`));
      }
      return found ?? '';
    });
  }
  if (Array.isArray(value)) return value.map((element, index) => fill(element, `${path}[${index}]`, walk));
  if (value instanceof Date) return value.toISOString();
  if (isMapping(value)) {
    return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, fill(child, join(path, key), walk)]));
  }
  return (value ?? null) as JsonValue;
}

/** Returns a value of the file as an error shows it: before variables are filled in, short, and without secrets. */
export function showValue(field: DescField, raw: unknown): string {
  if (field.proto.options?.debugRedact === true) return 'is not allowed';
  const text = JSON.stringify(raw) ?? 'nothing';
  return `is ${text.length > 64 ? `${text.slice(0, 60)}…` : text}`;
}

function kindOfValue(raw: unknown): string {
  if (Array.isArray(raw)) return 'a list';
  return typeof raw === 'string' ? 'text' : typeof raw === 'object' ? 'a mapping' : `a ${typeof raw}`;
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function join(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}
