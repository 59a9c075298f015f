import type { Schema } from './schema.ts';

/** Keywords that are kept as they are. */
const kept = [
  'type',
  'enum',
  'default',
  'pattern',
  'format',
  'minimum',
  'maximum',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'minProperties',
  'maxProperties',
  'anyOf',
  'oneOf',
  'allOf',
  'not',
  'x-kubernetes-int-or-string',
  'x-kubernetes-validations',
] as const satisfies readonly (keyof Schema)[];

/** Deepest nesting that is followed; no API is half as deep. */
const maxDepth = 64;

/**
 * Returns the part of a schema that samples use: their fields and no others, with every constraint on them. Throws with the path of a field that
 * the schema does not have. `resolve`: the schema of a reference.
 */
export function prune(schema: Schema, samples: readonly unknown[], resolve: (reference: string) => Schema): Schema {
  return visit(schema, samples, resolve, '', 0);
}

function visit(
  given: Schema,
  samples: readonly unknown[],
  resolve: (reference: string) => Schema,
  path: string,
  depth: number,
): Schema {
  if (depth > maxDepth) throw new Error(`${path} is nested too deeply`);
  const schema = given.$ref === undefined ? given : resolve(given.$ref);
  const pruned: Record<string, unknown> = {};
  for (const keyword of kept) if (schema[keyword] !== undefined) pruned[keyword] = schema[keyword];
  const down = (inner: Schema, values: readonly unknown[], step: string) =>
    visit(inner, values, resolve, `${path}.${step}`, depth + 1);
  const lists = samples.filter((sample) => Array.isArray(sample));
  if (lists.length > 0 && schema.items !== undefined) pruned.items = down(schema.items, lists.flat(), '[]');
  const mappings = samples.filter(isMapping);
  if (mappings.length === 0) return pruned;
  if (schema.properties === undefined) {
    const { additionalProperties } = schema;
    if (typeof additionalProperties === 'object') {
      pruned.additionalProperties = down(
        additionalProperties,
        mappings.flatMap((mapping) => Object.values(mapping)),
        '*',
      );
    } else if (
      schema['x-kubernetes-preserve-unknown-fields'] !== true &&
      additionalProperties !== true &&
      schema.type === undefined
    ) {
      // Metadata of a custom resource: the API server checks it by itself.
      pruned.type = 'object';
    }
    return pruned;
  }
  const names = [...new Set(mappings.flatMap((mapping) => Object.keys(mapping)))].sort();
  const unknown = names.filter((name) => schema.properties?.[name] === undefined);
  if (unknown.length > 0 && schema['x-kubernetes-preserve-unknown-fields'] !== true) {
    throw new Error(`${path || 'the object'} has no field ${unknown.join(', ')}`);
  }
  // The API server fills in defaults before it looks at rules.
  const defaults = Object.entries(schema.properties).filter(([, inner]) => inner.default !== undefined);
  const used = [...new Set([...names, ...defaults.map(([name]) => name)])].sort();
  pruned.properties = Object.fromEntries(
    used.map((name) => {
      const inner = schema.properties?.[name] ?? {};
      const values = mappings.flatMap((mapping) => (name in mapping ? [mapping[name]] : [inner.default]));
      return [name, down(inner, values, name)];
    }),
  );
  pruned.additionalProperties = false;
  if (schema.required !== undefined) pruned.required = schema.required;
  return pruned;
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
