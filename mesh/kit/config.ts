import { readFileSync } from 'node:fs';
import { create, type DescField, type DescMessage, fromJson, type JsonValue } from '@bufbuild/protobuf';
import { createValidator } from '@bufbuild/protovalidate';
import { parse as parseYaml } from 'yaml';
import { type Config, ConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { ConfigError } from './config-error.ts';

/** Values of the environment, read once in `mesh/run.ts`. */
export type Env = Readonly<Record<string, string | undefined>>;

/**
 * Reads a configuration file (YAML or JSON; protobuf's JSON mapping of `ragmesh.config.v1.Config`). `${NAME}` in a string
 * is replaced from `env`. Throws ConfigError with the path of the first bad value. Without a path: all defaults.
 */
export function loadConfig(path: string | undefined, env: Env): Config {
  if (path === undefined) return create(ConfigSchema);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError(path, `cannot be read: ${(error as Error).message}`);
  }
  let raw: unknown;
  try {
    raw = parseYaml(text);
  } catch (error) {
    // The first line says what and where; those below it show the text, which may hold a key.
    throw new ConfigError(path, `is not YAML: ${(error as Error).message.split('\n', 1)[0]}`);
  }
  return parseConfig(raw ?? {}, env);
}

/** A configuration from a plain value. */
export function parseConfig(raw: unknown, env: Env): Config {
  const filled = fill(raw, env, '');
  checkShape(ConfigSchema, filled, '');
  const config = fromJson(ConfigSchema, filled);
  const result = createValidator().validate(ConfigSchema, config);
  if (result.kind === 'error') throw result.error;
  if (result.kind === 'invalid') {
    throw new ConfigError('configuration', result.violations.map((violation) => violation.toString()).join('; '));
  }
  return config;
}

function fill(value: unknown, env: Env, path: string): JsonValue {
  if (typeof value === 'string') {
    return value.replaceAll(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (_, name: string) => {
      const found = env[name];
      if (found === undefined) throw new ConfigError(path, `the environment variable ${name} is not set`);
      return found;
    });
  }
  if (Array.isArray(value)) return value.map((element, index) => fill(element, env, `${path}[${index}]`));
  if (value instanceof Date) return value.toISOString();
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, fill(child, env, join(path, key))]));
  }
  return value as JsonValue;
}

// protobuf's JSON reader names a bad key but not where it stands; this walk does.
function checkShape(schema: DescMessage, value: JsonValue, path: string): void {
  if (schema.typeName.startsWith('google.protobuf.')) return;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ConfigError(path || 'configuration', `must be a mapping with keys, not ${JSON.stringify(value)}`);
  }
  const fields = new Map(
    schema.fields.flatMap((field) => [[field.name, field] as const, [field.jsonName, field] as const]),
  );
  for (const [key, child] of Object.entries(value)) {
    const field = fields.get(key);
    if (field === undefined) {
      throw new ConfigError(
        join(path, key),
        'unknown key',
        schema.fields.map((known) => known.name),
      );
    }
    checkField(schema, field, child as JsonValue, join(path, key));
  }
}

function checkField(schema: DescMessage, field: DescField, value: JsonValue, path: string): void {
  if (field.fieldKind === 'list') {
    if (!Array.isArray(value)) throw new ConfigError(path, `must be a list, not ${JSON.stringify(value)}`);
    const { message } = field;
    for (const [index, element] of value.entries()) {
      if (message !== undefined) checkShape(message, element, `${path}[${index}]`);
    }
  } else if (field.fieldKind === 'message') {
    checkShape(field.message, value, path);
    return;
  } else if (field.fieldKind === 'enum') {
    const names = field.enum.values.map((known) => known.name);
    if (typeof value === 'string' && !names.includes(value))
      throw new ConfigError(path, `is "${value}"`, names.slice(1));
  }
  try {
    fromJson(schema, { [field.name]: value });
  } catch (error) {
    throw new ConfigError(path, (error as Error).message.replace(/^.* from JSON: /, ''));
  }
}

function join(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}
