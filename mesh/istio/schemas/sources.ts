import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { KubeObject } from '../render/objects.ts';
import { prune } from './prune.ts';
import { kindOf, type Schema } from './schema.ts';
import { type SchemaFile, sha256Of } from './validate.ts';

/** Schemas of kinds, and of what they refer to. */
interface Sources {
  readonly sha256: Readonly<Record<string, string>>;
  readonly kinds: ReadonlyMap<string, Schema>;
  resolve(reference: string): Schema;
}

/**
 * Reads the schemas of a folder: CustomResourceDefinitions as YAML, and the OpenAPI document of Kubernetes ("swagger") as JSON, as their projects
 * publish them. Other files are ignored.
 */
export function readSources(folder: string): Sources {
  const sha256: Record<string, string> = {};
  const kinds = new Map<string, Schema>();
  let definitions: Record<string, Schema> = {};
  for (const name of readdirSync(folder).sort()) {
    const text = /\.(ya?ml|json)$/.test(name) ? readFileSync(join(folder, name), 'utf8') : '';
    const found = name.endsWith('.json') ? kindsOfSwagger(text) : kindsOfCrds(text);
    if (found.kinds.length === 0) continue;
    sha256[name] = createHash('sha256').update(text).digest('hex');
    for (const [kind, schema] of found.kinds) kinds.set(kind, schema);
    definitions = { ...definitions, ...found.definitions };
  }
  const resolve = (reference: string): Schema => {
    const schema = definitions[reference.replace('#/definitions/', '')];
    if (schema === undefined) throw new Error(`nothing is defined as ${reference}`);
    return schema;
  };
  return { sha256, kinds, resolve };
}

interface Found {
  readonly kinds: readonly (readonly [string, Schema])[];
  readonly definitions?: Record<string, Schema>;
}

interface Crd {
  readonly kind?: string;
  readonly spec: {
    readonly group: string;
    readonly names: { readonly kind: string };
    readonly versions: readonly {
      readonly name: string;
      readonly served: boolean;
      readonly schema: { readonly openAPIV3Schema: Schema };
    }[];
  };
}

function kindsOfCrds(text: string): Found {
  const crds = parseAllDocuments(text)
    .map((document) => document.toJS() as Crd | null)
    .filter((crd) => crd?.kind === 'CustomResourceDefinition');
  const kinds = crds.flatMap((crd) =>
    (crd?.spec.versions ?? [])
      .filter(({ served }) => served)
      .map(
        ({ name, schema }) =>
          [`${crd?.spec.group}/${name} ${crd?.spec.names.kind}`, withTypeMeta(schema.openAPIV3Schema)] as const,
      ),
  );
  return { kinds };
}

const text: Schema = { type: 'string' };
const texts: Schema = { type: 'object', additionalProperties: text };

/** What every object has, and a CustomResourceDefinition does not say. */
function withTypeMeta(schema: Schema): Schema {
  const metadata: Schema = {
    type: 'object',
    properties: { name: text, namespace: text, labels: texts, annotations: texts },
  };
  return { ...schema, properties: { ...schema.properties, apiVersion: text, kind: text, metadata } };
}

type Definition = Schema & {
  readonly 'x-kubernetes-group-version-kind'?: readonly {
    readonly group: string;
    readonly version: string;
    readonly kind: string;
  }[];
};

function kindsOfSwagger(json: string): Found {
  const { definitions } = JSON.parse(json) as { definitions?: Record<string, Definition> };
  if (definitions === undefined) return { kinds: [] };
  const kinds = Object.values(definitions).flatMap((schema) => {
    const names = schema['x-kubernetes-group-version-kind'] ?? [];
    return names.map(
      ({ group, version, kind }) => [`${group === '' ? '' : `${group}/`}${version} ${kind}`, schema] as const,
    );
  });
  return { kinds, definitions };
}

/** Returns the schemas of the kinds of `objects`, reduced to what the objects use. Throws if one has a field that its schema does not have. */
export function toSchemaFile(objects: readonly KubeObject[], { kinds, resolve, sha256 }: Sources): SchemaFile {
  const names = [...new Set(objects.map(kindOf))].sort();
  const unchecked = names.filter((name) => !kinds.has(name));
  const schemas = names.flatMap((name) => {
    const schema = kinds.get(name);
    const samples = objects.filter((object) => kindOf(object) === name);
    try {
      return schema === undefined ? [] : [[name, prune(schema, samples, resolve)] as const];
    } catch (error) {
      throw new Error(`${name}: ${(error as Error).message}`, { cause: error });
    }
  });
  const file = { sources: sha256, unchecked, schemas: Object.fromEntries(schemas) };
  return { ...file, sha256: sha256Of(file) };
}
