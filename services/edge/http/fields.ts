import { z } from 'zod';
import { invalidArgument } from '#kit/base/errors.ts';

// Schemas of JSON bodies. A value that does not fit throws INVALID_ARGUMENT with its path. In an object, null is the same as missing:
// a field that may be missing is `.nullish()`.

/** Returns an INVALID_ARGUMENT that names the path of the value. */
export function badField(path: string, description: string) {
  return invalidArgument(`${path}: ${description}`, { violations: [{ field: path, description }] });
}

// Only the first problem is reported. Without `abortEarly`, a body of 20,000 wrong values takes 1,000 times as long as its first problem.
const firstProblem: z.core.ParseContextInternal<z.core.$ZodIssue> = { reportInput: true, abortEarly: true };

/** Returns `value` as `schema` reads it. Throws the first problem, with its path below `at` ("" for the body itself). */
export function parseFields<Schema extends z.ZodType>(schema: Schema, value: unknown, at = ''): z.output<Schema> {
  const result = schema.safeParse(value, firstProblem);
  if (result.success) return result.data;
  throw toBadField(result.error.issues[0], at);
}

/** Returns an object with this field, or without it if the value is missing or null. */
export function given<const Name extends string, T>(name: Name, value: T | null | undefined): { [K in Name]?: T } {
  return (value === undefined || value === null ? {} : { [name]: value }) as { [K in Name]?: T };
}

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

/** One of these words, read as its meaning. */
export function word<const Meanings extends Readonly<Record<string, unknown>>>(meanings: Meanings) {
  const words = Object.keys(meanings) as (keyof Meanings & string)[];
  return z.literal(words, `must be one of ${words.join(', ')}`).transform((chosen) => meanings[chosen]);
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

function toBadField(issue: z.core.$ZodIssue | undefined, at: string): ReturnType<typeof badField> {
  if (issue === undefined) return badField(at || 'the body', 'does not fit');
  const path = pathBelow(at, issue.path);
  if (issue.code === 'unrecognized_keys') return badField(pathBelow(path, issue.keys.slice(0, 1)), issue.message);
  if (issue.code === 'invalid_union') {
    const inner = issue.errors.map(([first]) => first).find(isOfThisKind);
    if (inner !== undefined) return toBadField(inner, path);
  }
  // A discriminator that names no alternative has no inner problems, and its input is the whole object.
  const isWhole = issue.code === 'custom' || (issue.code === 'invalid_union' && issue.errors.length === 0);
  if (isWhole) return badField(path || 'the body', issue.message);
  const isMissing = (issue.input ?? undefined) === undefined && typeof issue.path.at(-1) === 'string';
  return badField(path || 'the body', isMissing ? 'is missing' : `${issue.message}, not ${show(issue.input)}`);
}

// Of the alternatives of a union, the one that the caller meant has a problem other than the kind of the value.
function isOfThisKind(issue: z.core.$ZodIssue | undefined): boolean {
  if (issue === undefined) return false;
  return issue.path.length > 0 || (issue.code !== 'invalid_type' && issue.code !== 'invalid_value');
}

function pathBelow(at: string, steps: readonly PropertyKey[]): string {
  let path = at;
  for (const step of steps) {
    if (typeof step === 'number') path += `[${step}]`;
    else path += path === '' ? String(step) : `.${String(step)}`;
  }
  return path;
}

// Short, and never the whole value.
function show(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  const shown = JSON.stringify(value) ?? 'nothing';
  return shown.length > 40 ? `${shown.slice(0, 40)}…` : shown;
}
