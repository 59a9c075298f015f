import { z } from 'zod';

// Schemas of which bodies in JSON are made. In an object, null is the same as missing: a field that may be missing is `.nullish()`.

/** An object with these fields and no others. */
export function fields<const Shape extends z.ZodRawShape>(shape: Shape) {
  const known = Object.keys(shape).join(', ');
  return z.strictObject(shape, {
    error: ({ code }) => (code === 'unrecognized_keys' ? `is not known here; known are ${known}` : 'must be an object'),
  });
}

/** An object with these fields. Others are ignored. */
export function fieldsAmongOthers<const Shape extends z.ZodRawShape>(shape: Shape) {
  return z.object(shape, 'must be an object');
}

/** An object with these fields, and all others as they are. */
export function fieldsAndOthers<const Shape extends z.ZodRawShape>(shape: Shape) {
  return z.looseObject(shape, 'must be an object');
}

/** Any value, as the JSON of it. */
export function jsonValue({ maxBytes }: { maxBytes: number }) {
  return z
    .unknown()
    .transform((value) => (value === undefined || value === null ? '' : JSON.stringify(value)))
    .refine((json) => Buffer.byteLength(json) <= maxBytes, `has more than ${maxBytes} bytes of JSON`);
}

/** Fields of any value, each of which may be missing. */
export function anyFields<const Name extends string>(names: readonly Name[]) {
  return Object.fromEntries(names.map((name) => [name, z.unknown().optional()])) as Record<
    Name,
    z.ZodOptional<z.ZodUnknown>
  >;
}

/** A text of `min` to `max` characters. */
export function text({ min = 0, max }: { min?: number; max: number }) {
  return z.string('must be a text').check(({ value, issues }) => {
    // A character is at most two code units, so the expensive count is only for texts near the limit.
    const count = value.length <= max ? value.length : value.length > max * 2 ? value.length : [...value].length;
    if (count < min || count > max) issues.push(outOfBounds(value, `${count} characters`, min, max));
  });
}

/** A number from `min` to `max`. */
export function number({ min, max, whole = false }: { min: number; max: number; whole?: boolean }) {
  const message = `must be a ${whole ? 'whole ' : ''}number from ${min} to ${max}`;
  return (whole ? z.int(message) : z.number(message)).min(min, message).max(max, message);
}

/** True or false. */
export const flag = z.boolean('must be true or false');

/** A list of `min` to `max` values. A list with another count is refused before its elements are read. */
export function list<Schema extends z.ZodType>(schema: Schema, { min = 0, max }: { min?: number; max: number }) {
  const bounded = z.array(z.unknown(), 'must be a list').check(({ value, issues }) => {
    if (value.length < min || value.length > max) {
      issues.push(outOfBounds(value, `${value.length} elements`, min, max));
    }
  });
  return bounded.pipe(z.array(schema));
}

/** One of these words, read as its meaning. `refusals`: why other words are refused, in place of the list. */
export function word<const Meanings extends Readonly<Record<string, unknown>>>(
  meanings: Meanings,
  refusals: Readonly<Record<string, string>> = {},
) {
  const words = Object.keys(meanings) as (keyof Meanings & string)[];
  const allowed = `must be one of ${words.join(', ')}`;
  const error = ({ input }: { input?: unknown }) => (typeof input === 'string' && refusals[input]) || allowed;
  return z.literal(words, { error }).transform((chosen) => meanings[chosen]);
}

/** A field that must be missing or null. */
export function refused(why: string) {
  return z.custom<never>(() => false, why).nullish();
}

/** A field that must be missing, null, false or an empty list. */
export function refusedUnlessEmpty(why: string) {
  return z.custom<false | never[]>((value) => value === false || isEmptyList(value), why).nullish();
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

function outOfBounds(input: unknown, count: string, min: number, max: number): z.core.$ZodRawIssue {
  return {
    code: 'custom',
    input,
    message: `has ${count}: ${min === 0 ? 'at most' : `${min} to`} ${max} are allowed`,
  };
}
