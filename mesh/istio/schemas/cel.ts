import { type CelInput, CelScalar, celEnv, celFunc, celMethod, isCelError, parse, plan } from '@bufbuild/cel';
import { strings } from '@bufbuild/cel/ext';
import type { CelRule, Schema } from './schema.ts';

// The rules in CEL that custom resources carry. The API server evaluates them; here they are evaluated on any machine.

const { STRING, BOOL } = CelScalar;

/** Functions that Kubernetes adds to CEL, as far as the rules of the rendered kinds use them: a URL is its text. */
const kubernetesFunctions = [
  celFunc('isURL', [STRING], BOOL, (text) => URL.canParse(text)),
  celFunc('url', [STRING], STRING, (text) => text),
  celMethod('getScheme', STRING, [], STRING, function () {
    return URL.canParse(this) ? new URL(this).protocol.slice(0, -1) : '';
  }),
];

const env = celEnv({ funcs: [...strings, ...kubernetesFunctions] });
const programs = new Map<string, ReturnType<typeof plan>>();

/** Returns the rules of a schema that a value breaks, with their paths. */
export function brokenRules(schema: Schema, value: unknown, path = ''): string[] {
  const own = (schema['x-kubernetes-validations'] ?? []).flatMap((rule) => problemOf(rule, value, path));
  if (Array.isArray(value)) {
    const { items } = schema;
    if (items === undefined) return own;
    return [...own, ...value.flatMap((each, index) => brokenRules(items, each, `${path}[${index}]`))];
  }
  if (typeof value !== 'object' || value === null) return own;
  const inner = Object.entries(value).flatMap(([key, each]) => {
    const child = schema.properties?.[key] ?? schema.additionalProperties;
    return typeof child === 'object' ? brokenRules(child, each, `${path}.${key}`) : [];
  });
  return [...own, ...inner];
}

function problemOf({ rule, message }: CelRule, value: unknown, path: string): string[] {
  // A rule about a change has nothing to say of an object by itself.
  if (/\boldSelf\b/.test(rule)) return [];
  let program = programs.get(rule);
  if (program === undefined) {
    program = plan(env, parse(rule)) as ReturnType<typeof plan>;
    programs.set(rule, program);
  }
  const result = (program as (bindings: Record<string, CelInput>) => unknown)({ self: toCel(value) });
  if (result === true) return [];
  const why = isCelError(result) ? `cannot be evaluated: ${result.message}` : (message ?? rule);
  return [`${path || 'the object'}: ${why}`];
}

/** Words that CEL reserves: a field of such a name is called "__namespace__" in rules. */
const reserved = [
  'namespace',
  'package',
  'import',
  'in',
  'as',
  'break',
  'const',
  'function',
  'if',
  'loop',
  'return',
  'void',
  'while',
];

function toCel(value: unknown): CelInput {
  if (Array.isArray(value)) return value.map(toCel);
  if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : value;
  if (typeof value !== 'object' || value === null) return value as CelInput;
  const entries = Object.entries(value).map(([key, each]): [string, CelInput] => [
    reserved.includes(key) ? `__${key}__` : key,
    toCel(each),
  ]);
  return new Map(entries);
}
