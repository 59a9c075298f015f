import { cleanLine } from '../clean.ts';
import { nameKey } from './names.ts';

/** Values by name, of which each is taken once. Names are compared by {@link nameKey}. */
export interface NamedValues {
  /** Takes the value of the first name that has one; `undefined` if none has. */
  take(names: readonly string[]): unknown;
  /** Takes it as text; empty if it is no scalar. */
  text(names: readonly string[]): string;
  /** Takes the values of all of the names, also numbered ones ("similar 1", "相似问2"). */
  takeAll(names: readonly string[]): unknown[];
  /** Returns a value that stays. */
  peek(name: string): unknown;
  /** Returns what was not taken, and the values of a mapping `attributes`. */
  others(): Iterable<readonly [name: string, value: unknown]>;
}

/** Creates named values. */
export function createNamedValues(values: Readonly<Record<string, unknown>>): NamedValues {
  const left = new Map<string, readonly [name: string, value: unknown]>();
  for (const [given, value] of Object.entries(values)) {
    const name = cleanLine(given);
    left.set(nameKey(name), [name, value]);
  }
  const remove = (key: string): unknown => {
    const value = left.get(key)?.[1];
    left.delete(key);
    return value;
  };
  const take = (names: readonly string[]): unknown => {
    const key = names.find((name) => isGiven(left.get(name)?.[1]));
    return key === undefined ? undefined : remove(key);
  };
  return {
    take,
    text(names) {
      const value = take(names);
      return isScalar(value) ? String(value) : '';
    },
    takeAll: (names) =>
      [...left.keys()].filter((key) => names.includes(key.replace(/[ _-]?\d+$/, ''))).map((key) => remove(key)),
    peek: (name) => left.get(name)?.[1],
    *others() {
      const nested = left.get('attributes')?.[1];
      yield* left.values();
      if (typeof nested === 'object' && nested !== null && !Array.isArray(nested)) yield* Object.entries(nested);
    },
  };
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null && value !== '';
}

/** Reports whether a value is a text, a number or a boolean. */
export function isScalar(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}
