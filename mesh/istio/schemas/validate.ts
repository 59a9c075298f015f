import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Ajv, type ValidateFunction } from 'ajv';
import type { KubeObject } from '../render/objects.ts';
import { brokenRules } from './cel.ts';
import { kindOf, type Schema } from './schema.ts';

/** The file of schemas: of each kind that is rendered, the fields that are used, with every constraint on them. */
export interface SchemaFile {
  /** SHA-256 of each file that the schemas were taken from, by its name. */
  readonly sources: Readonly<Record<string, string>>;
  /** Kinds whose schema was in none of the sources; they are not checked. */
  readonly unchecked: readonly string[];
  readonly schemas: Readonly<Record<string, Schema>>;
  /** SHA-256 of all of the above, so that a change by hand is noticed. */
  readonly sha256: string;
}

const path = new URL('rendered.json', import.meta.url);

/** Reads the file. Throws if it was changed by hand. */
export function readSchemas(): SchemaFile {
  const file = JSON.parse(readFileSync(path, 'utf8')) as SchemaFile;
  if (sha256Of(file) !== file.sha256)
    throw new Error('rendered.json was changed by hand: run `npm run mesh:schemas -- <folder>`');
  return file;
}

/** Returns the text of a file of schemas: one line for each kind. */
export function toText({ sources, unchecked, schemas, sha256 }: SchemaFile): string {
  const lines = Object.entries(schemas).map(([kind, schema]) => `${JSON.stringify(kind)}: ${JSON.stringify(schema)}`);
  return [
    '{',
    `"sources": ${JSON.stringify(sources)},`,
    `"unchecked": ${JSON.stringify(unchecked)},`,
    `"schemas": {\n${lines.join(',\n')}\n},`,
    `"sha256": ${JSON.stringify(sha256)}`,
    '}\n',
  ].join('\n');
}

/** Returns the digest of a file of schemas. */
export function sha256Of({ sources, unchecked, schemas }: Omit<SchemaFile, 'sha256'>): string {
  return createHash('sha256').update(JSON.stringify({ sources, unchecked, schemas })).digest('hex');
}

/** Creates a function that returns what is wrong with an object: unknown fields, wrong types and values, broken rules. */
export function createValidator({ schemas, unchecked }: SchemaFile): (object: KubeObject) => string[] {
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false, useDefaults: true });
  const compiled = new Map<string, ValidateFunction>();
  return (given) => {
    const kind = kindOf(given);
    if (unchecked.includes(kind)) return [];
    const schema = schemas[kind];
    if (schema === undefined) return [`${kind} has no schema: run \`npm run mesh:schemas -- <folder>\``];
    let validate = compiled.get(kind);
    if (validate === undefined) {
      validate = ajv.compile(toJsonSchema(schema) as object);
      compiled.set(kind, validate);
    }
    // Ajv fills in defaults, as the API server does before it looks at rules.
    const object = structuredClone(given);
    const title = `${object.kind} ${object.metadata?.name}`;
    const problems = validate(object)
      ? []
      : (validate.errors ?? []).map(
          ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
        );
    return [...problems, ...brokenRules(schema, object)].map((problem) => `${title}: ${problem}`);
  };
}

/** Returns a schema as Ajv understands it: a number or a text for what Kubernetes calls "int or string". */
function toJsonSchema(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(toJsonSchema);
  if (typeof schema !== 'object' || schema === null) return schema;
  const entries = Object.entries(schema).map(([key, value]): [string, unknown] => [key, toJsonSchema(value)]);
  const plain = Object.fromEntries(entries);
  const isEither = plain['x-kubernetes-int-or-string'] === true || plain.format === 'int-or-string';
  return isEither ? { ...plain, type: ['integer', 'string'] } : plain;
}
