import type { JsonObject, JsonValue } from '@bufbuild/protobuf';

/** A parameter of an operation. */
export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
}

/** An operation of an OpenAPI document. Its arguments are its parameters by name, and `body`. */
export interface Operation {
  readonly method: string;
  /** With the names of parameters in braces. */
  readonly path: string;
  readonly description: string;
  readonly parameters: JsonObject;
  readonly sent: readonly Parameter[];
  readonly hasBody: boolean;
}

const methods = ['get', 'put', 'post', 'delete', 'head', 'patch'];
/** References inside of references, and values of a schema. */
const maxDepth = 24;
const maxValues = 20_000;

/** Returns an operation with its schemas, whose references are replaced by what they name. Throws an Error that says what the document lacks. */
export function findOperation(document: unknown, operationId: string): Operation {
  const root = objectOf(document);
  for (const [path, item] of Object.entries(objectOf(root.paths))) {
    for (const method of methods) {
      const operation = objectOf(objectOf(item)[method]);
      if (operation.operationId === operationId) return toOperation(root, path, method, objectOf(item), operation);
    }
  }
  throw new Error(`the document has no operation "${operationId}"`);
}

function toOperation(
  root: JsonObject,
  path: string,
  method: string,
  item: JsonObject,
  operation: JsonObject,
): Operation {
  const resolve = createResolver(root);
  // Those of the operation replace those of its path.
  const byName = new Map<string, JsonObject>();
  for (const list of [item.parameters, operation.parameters]) {
    for (const given of Array.isArray(list) ? list : []) {
      const parameter = objectOf(resolve(given));
      byName.set(`${String(parameter.in)} ${String(parameter.name)}`, parameter);
    }
  }
  const properties: JsonObject = {};
  const required: string[] = [];
  const sent: Parameter[] = [];
  for (const parameter of byName.values()) {
    const { name, in: place } = parameter;
    if (typeof name !== 'string' || (place !== 'path' && place !== 'query' && place !== 'header')) {
      throw new Error(`parameter "${String(name)}" is in ${String(place)}: path, query and header are supported`);
    }
    if (Object.hasOwn(properties, name) || name === 'body') throw new Error(`two arguments have the name "${name}"`);
    const { schema, description } = parameter;
    properties[name] = { ...objectOf(schema), ...(typeof description === 'string' && { description }) };
    if (parameter.required === true || place === 'path') required.push(name);
    sent.push({ name, in: place });
  }
  const body = objectOf(resolve(operation.requestBody));
  const json = objectOf(body.content)['application/json'];
  if (operation.requestBody !== undefined && json === undefined) throw new Error('the body must be application/json');
  if (json !== undefined) {
    properties.body = objectOf(json).schema ?? {};
    if (body.required === true) required.push('body');
  }
  return {
    method: method.toUpperCase(),
    path,
    description: [operation.summary, operation.description].filter((text) => typeof text === 'string').join('. '),
    parameters: { type: 'object', properties, additionalProperties: false, ...(required.length > 0 && { required }) },
    sent,
    hasBody: json !== undefined,
  };
}

/** Returns a function that replaces references. Only those into the document itself are followed. */
function createResolver(root: JsonObject) {
  let values = 0;
  const resolve = (value: JsonValue | undefined, depth = 0): JsonValue => {
    if (++values > maxValues) throw new Error(`a schema has more than ${maxValues} values`);
    // A schema that contains itself ends as an open value.
    if (depth > maxDepth) return {};
    if (Array.isArray(value)) return value.map((element) => resolve(element, depth + 1));
    if (typeof value !== 'object' || value === null) return value ?? {};
    const { $ref: reference } = value;
    if (typeof reference === 'string') return resolve(lookUp(root, reference), depth + 1);
    return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, resolve(child, depth + 1)]));
  };
  return resolve;
}

function lookUp(root: JsonObject, reference: string): JsonValue | undefined {
  if (!reference.startsWith('#/')) throw new Error(`${reference} is outside of the document`);
  const names = reference.slice(2).split('/');
  const found = names.reduce<JsonValue | undefined>((at, name) => {
    const key = decodeURIComponent(name).replaceAll('~1', '/').replaceAll('~0', '~');
    return Object.hasOwn(objectOf(at), key) ? objectOf(at)[key] : undefined;
  }, root);
  if (found === undefined) throw new Error(`the document has no ${reference}`);
  return found;
}

const objectOf = (value: unknown): JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
