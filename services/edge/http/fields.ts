import { invalidArgument } from '#kit/base/errors.ts';

// Reads plain JSON values against a shape. A value that does not fit throws INVALID_ARGUMENT with its path.

/** Reads a value; throws if it does not fit. */
export type Reader<T> = (value: unknown, path: string) => T;

/** What a set of readers reads. Every field may be missing; null is the same as missing. */
export type Fields<Shape extends Record<string, Reader<unknown>>> = {
  [K in keyof Shape]?: ReturnType<Shape[K]>;
};

/** An INVALID_ARGUMENT that names the path of the value. */
export function badField(path: string, description: string) {
  return invalidArgument(`${path}: ${description}`, { violations: [{ field: path, description }] });
}

/**
 * An object with these fields. Others are refused, or ignored if `others` says so. `path` is "" for the body itself.
 */
export function object<const Shape extends Record<string, Reader<unknown>>>(
  shape: Shape,
  { others = 'refuse' }: { others?: 'refuse' | 'ignore' } = {},
): Reader<Fields<Shape>> {
  return (value, path) => {
    const fields: Record<string, unknown> = {};
    for (const [name, child] of Object.entries(entriesOf(value, path))) {
      const childPath = path === '' ? name : `${path}.${name}`;
      const read = Object.hasOwn(shape, name) ? shape[name] : undefined;
      if (read === undefined) {
        if (others === 'ignore') continue;
        throw badField(childPath, `is not known here; known are ${Object.keys(shape).join(', ')}`);
      }
      if (child !== null) fields[name] = read(child, childPath);
    }
    return fields as Fields<Shape>;
  };
}

function entriesOf(value: unknown, path: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw badField(path || 'the body', `must be an object, not ${show(value)}`);
}

/** A text of `min` to `max` characters. */
export function text({ min = 0, max }: { min?: number; max: number }): Reader<string> {
  return (value, path) => {
    if (typeof value !== 'string') throw badField(path, `must be a text, not ${show(value)}`);
    // A character is at most two code units, so the costly count is only for texts near the limit.
    const count = value.length <= max ? value.length : value.length > max * 2 ? value.length : [...value].length;
    if (count < min || count > max) {
      throw badField(path, `has ${count} characters: ${min === 0 ? 'at most' : `${min} to`} ${max} are allowed`);
    }
    return value;
  };
}

/** A number from `min` to `max`. */
export function number({ min, max, whole = false }: { min: number; max: number; whole?: boolean }): Reader<number> {
  return (value, path) => {
    if (typeof value !== 'number' || !(value >= min && value <= max) || (whole && !Number.isInteger(value))) {
      throw badField(path, `must be a ${whole ? 'whole ' : ''}number from ${min} to ${max}, not ${show(value)}`);
    }
    return value;
  };
}

/** True or false. */
export const flag: Reader<boolean> = (value, path) => {
  if (typeof value !== 'boolean') throw badField(path, `must be true or false, not ${show(value)}`);
  return value;
};

/** A list of at most `max` values. */
export function list<T>(read: Reader<T>, { min = 0, max }: { min?: number; max: number }): Reader<T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) throw badField(path, `must be a list, not ${show(value)}`);
    if (value.length < min || value.length > max) {
      throw badField(path, `has ${value.length} elements: ${min === 0 ? 'at most' : `${min} to`} ${max} are allowed`);
    }
    return value.map((element, index) => read(element, `${path}[${index}]`));
  };
}

/** Reads one of these words and returns its meaning. */
export function word<T>(meanings: Readonly<Record<string, T>>): Reader<T> {
  return (value, path) => {
    if (typeof value === 'string' && Object.hasOwn(meanings, value)) return meanings[value] as T;
    throw badField(path, `must be one of ${Object.keys(meanings).join(', ')}, not ${show(value)}`);
  };
}

/** Any value at all. */
export const anything: Reader<unknown> = (value) => value;

// Short, and never the whole value.
function show(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  const shown = JSON.stringify(value) ?? 'nothing';
  return shown.length > 40 ? `${shown.slice(0, 40)}…` : shown;
}
