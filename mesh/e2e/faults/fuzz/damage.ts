import fc from 'fast-check';
import { anyJson } from './values.ts';

/** Returns an arbitrary of changes to bytes: changed, removed, repeated and added bytes, and cut ends. */
export const byteDamage: fc.Arbitrary<(bytes: Uint8Array) => Uint8Array> = fc
  .array(
    fc.tuple(
      fc.constantFrom('set', 'remove', 'repeat', 'insert', 'cut'),
      fc.nat(1_000_000),
      fc.nat(255),
      fc.integer({ min: 1, max: 40 }),
    ),
    { minLength: 1, maxLength: 4 },
  )
  .map((changes) => (given: Uint8Array) => {
    let bytes = Buffer.from(given);
    for (const [kind, place, value, count] of changes) {
      const at = bytes.length === 0 ? 0 : place % bytes.length;
      const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
      if (kind === 'set') bytes = Buffer.concat([before, Buffer.of(value), after.subarray(1)]);
      else if (kind === 'remove') bytes = Buffer.concat([before, after.subarray(count)]);
      else if (kind === 'repeat') bytes = Buffer.concat([before, after.subarray(0, count), after]);
      else if (kind === 'insert') bytes = Buffer.concat([before, Buffer.alloc(count, value), after]);
      else bytes = Buffer.from(before);
    }
    return bytes;
  });

/** Returns an arbitrary of changes to a JSON value: one place gets a value of another kind, or an object gets a field that it lacks. */
export const jsonDamage: fc.Arbitrary<(value: unknown) => unknown> = fc
  .tuple(fc.nat(1000), anyJson, fc.boolean())
  .map(([place, odd, adds]) => (value: unknown) => {
    const places = placesOf(value);
    const path = places[place % places.length] ?? [];
    return replaceAt(value, adds ? [...path, 'x_unknown'] : path, odd);
  });

/** Paths to every value inside of `value`, itself included. */
function placesOf(value: unknown, path: readonly (string | number)[] = []): (readonly (string | number)[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, inside]) => placesOf(inside, [...path, key]))];
}

function replaceAt(value: unknown, [key, ...rest]: readonly (string | number)[], odd: unknown): unknown {
  if (key === undefined) return odd;
  if (typeof value !== 'object' || value === null) return { [key]: odd };
  const copy = (Array.isArray(value) ? [...value] : { ...value }) as Record<string | number, unknown>;
  copy[key] = replaceAt(copy[key], rest, odd);
  return copy;
}
