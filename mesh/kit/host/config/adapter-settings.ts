import type { JsonObject } from '@bufbuild/protobuf';
import { z } from 'zod';
import { ConfigError, throwProblems, unknownName } from '../../base/config-error.ts';

/** Settings of an adapter by name, each a schema with description and default; one without a default must be given. */
export type SettingsShape = z.ZodRawShape;

/** Values of settings. */
export type Settings<Shape extends SettingsShape> = z.output<z.ZodObject<Shape>>;

/** Returns the schema of a text that is never printed: a key, a password, a URL with one. */
export const secret = () => z.string().meta({ writeOnly: true });

/** What JSON Schema says of one setting. */
export interface SettingFacts {
  type?: string;
  description?: string;
  default?: unknown;
  minimum?: number;
  maximum?: number;
  enum?: readonly unknown[];
  writeOnly?: boolean;
}

/** Returns what a setting's schema says of its values. */
export function factsOf(schema: z.core.$ZodType): SettingFacts {
  const { $schema, ...facts } = z.toJSONSchema(schema, { io: 'input' });
  return facts as SettingFacts;
}

/** Returns the values that a setting allows, in words; `undefined`: all of its type. */
export function allowedBy({ type, minimum, maximum, enum: words }: SettingFacts): string | undefined {
  if (words !== undefined) return words.filter((word) => word !== '').join(', ');
  if (minimum === undefined && maximum === undefined) return type === 'boolean' ? 'true, false' : undefined;
  return `${minimum ?? 'any'} to ${maximum ?? 'any'}`;
}

/**
 * Returns the settings at `path` of the configuration, with defaults, frozen. Throws ConfigError with every unknown name, missing
 * setting and value that is not allowed.
 */
export function readSettings<Shape extends SettingsShape>(
  shape: Shape,
  given: JsonObject,
  path: string,
): Settings<Shape> {
  const result = z.strictObject(shape).safeParse(given);
  if (result.success) return Object.freeze(result.data) as Settings<Shape>;
  throwProblems(result.error.issues.flatMap((issue) => problemsOfIssue(issue, shape, given, path)));
  throw result.error;
}

/** Returns what {@link readSettings} would throw, each problem by itself. */
export function checkSettings(shape: SettingsShape, given: JsonObject, path: string): ConfigError[] {
  const { error } = z.strictObject(shape).safeParse(given);
  return (error?.issues ?? []).flatMap((issue) => problemsOfIssue(issue, shape, given, path));
}

function problemsOfIssue(
  issue: z.core.$ZodIssue,
  shape: SettingsShape,
  given: JsonObject,
  path: string,
): ConfigError[] {
  if (issue.code === 'unrecognized_keys') {
    const names = Object.keys(shape);
    return issue.keys.map((key) => new ConfigError(`${path}.${key}`, unknownName('setting', key, names), names));
  }
  const [name = '', ...rest] = issue.path.map(String);
  const at = [path, name, ...rest].join('.');
  const facts = shape[name] === undefined ? {} : factsOf(shape[name]);
  const value = given[name];
  const range = allowedBy(facts);
  const allowed = range === undefined ? undefined : [range];
  if (value === undefined) {
    const type = facts.type ?? 'value';
    const article = /^[aeio]/.test(type) ? 'an' : 'a';
    return [new ConfigError(at, `is missing: ${article} ${type} is needed`, allowed)];
  }
  if (issue.code === 'invalid_type' && rest.length === 0) {
    return [new ConfigError(at, `must be a ${issue.expected === 'int' ? 'whole number' : issue.expected}`, allowed)];
  }
  // A text may be a secret that was put in the wrong place; the words of an enumeration are not.
  const isShown =
    facts.writeOnly !== true && (typeof value !== 'string' || (facts.enum !== undefined && value.length <= 64));
  return [new ConfigError(at, isShown ? `is ${JSON.stringify(value)}` : 'is not allowed', allowed ?? [issue.message])];
}
