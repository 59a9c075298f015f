import { z } from 'zod';
import { badField } from '../../../http/parse-fields.ts';

/** A JSON Schema that results are checked against. */
export interface OutputSchema {
  /** The schema as it was sent. */
  json: string;
  root: SchemaNode;
  /** Whether a value fits. */
  fits(value: unknown): boolean;
}

/** A schema as an object; its members are not trusted. */
export type SchemaNode = Readonly<Record<string, unknown>>;

/** Deepest nesting of a schema, and most of its objects. */
const maxDepth = 32;
const maxNodes = 2_000;

/** Reads a schema. Throws INVALID_ARGUMENT with `path` for one that is none, or that is too large. */
export function readSchema(json: string, path: string): OutputSchema {
  const root: unknown = json === '' ? {} : JSON.parse(json);
  if (!isNode(root)) throw badField(path, 'must be an object');
  let check: z.ZodType;
  try {
    check = z.fromJSONSchema(checkable(root, 0, { count: 0 }, path) as never);
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause) throw cause;
    throw badField(path, `is no schema that can be checked: ${(cause as Error).message.slice(0, 200)}`);
  }
  return { json: JSON.stringify(root), root, fits: (value) => check.safeParse(value).success };
}

/** Whether a value is an object, as a schema is. */
export function isNode(value: unknown): value is SchemaNode {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Returns a schema without its patterns, since that of a caller can keep the process busy without end. Bounded. */
function checkable(node: SchemaNode, depth: number, seen: { count: number }, path: string): SchemaNode {
  if (depth > maxDepth || ++seen.count > maxNodes) throw badField(path, 'is nested too deep, or too large');
  const { pattern: _pattern, patternProperties: _properties, format: _format, ...kept } = node;
  // In a list of properties these are names, and their values are schemas.
  const isNames = [node.pattern, node.patternProperties, node.format].some(isNode);
  const entries = Object.entries(isNames ? node : kept).map(([name, value]) => [
    name,
    inner(value, depth + 1, seen, path),
  ]);
  return Object.fromEntries(entries) as SchemaNode;
}

function inner(value: unknown, depth: number, seen: { count: number }, path: string): unknown {
  if (Array.isArray(value)) return value.map((element) => inner(element, depth + 1, seen, path));
  return isNode(value) ? checkable(value, depth, seen, path) : value;
}
