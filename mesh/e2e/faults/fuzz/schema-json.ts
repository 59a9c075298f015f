import fc from 'fast-check';
import { type KnownValues, textFor, wholeNumber } from './values.ts';

/** What of JSON Schema the schemas of the JSON routes use. */
export interface JsonSchema {
  type?: string;
  properties?: Readonly<Record<string, JsonSchema>>;
  required?: readonly string[];
  items?: JsonSchema;
  anyOf?: readonly JsonSchema[];
  oneOf?: readonly JsonSchema[];
  allOf?: readonly JsonSchema[];
  enum?: readonly unknown[];
  const?: unknown;
}

/** Returns an arbitrary of values that follow a JSON Schema, except for the bounds of texts and numbers. */
export function schemaJson(schema: JsonSchema, known: KnownValues, name = ''): fc.Arbitrary<unknown> {
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) return fc.oneof(...choices.map((one) => schemaJson(one, known, name)));
  if (schema.allOf !== undefined) return schemaJson(Object.assign({}, ...schema.allOf) as JsonSchema, known, name);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum, 'other');
  if (schema.const !== undefined) return fc.constant(schema.const);
  switch (schema.type) {
    case 'object': {
      const fields = Object.entries(schema.properties ?? {}).map(
        ([field, of]) => [field, schemaJson(of, known, field)] as const,
      );
      // A body with a field that it needs comes further; without one it must be refused.
      const needed = new Set(schema.required ?? []);
      const entries = fields.map(([field, of]) =>
        (needed.has(field) ? of : rarely(of)).map((value) => [field, value] as const),
      );
      return fc
        .tuple(...entries)
        .map((all) => Object.fromEntries(all.filter(([, value]) => value !== undefined)) as unknown);
    }
    case 'array':
      return fc.array(schemaJson(schema.items ?? {}, known, name), { maxLength: 3 });
    case 'string':
      return textFor(name, known);
    case 'boolean':
      return fc.boolean();
    case 'integer':
      return wholeNumber(-(2 ** 31), 2 ** 31);
    case 'number':
      return fc.oneof(fc.double({ noNaN: true }), fc.constantFrom(0, 1, -1, 0.5));
    case 'null':
      return fc.constant(null);
    default:
      return fc.oneof(
        fc.jsonValue({ maxDepth: 2 }),
        textFor(name, known),
        fc.array(textFor(name, known), { maxLength: 3 }),
      );
  }
}

/** Most of the fields that may be missing are missing in most requests: else some field is wrong in all. */
function rarely(arbitrary: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 6, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });
}
