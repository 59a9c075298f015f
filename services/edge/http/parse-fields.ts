import type { z } from 'zod';
import { invalidArgument } from '#kit/base/errors.ts';

// Reads a body by its schema. A value that does not fit throws INVALID_ARGUMENT with its path.

/** Returns an INVALID_ARGUMENT that names the path of the value. */
export function badField(path: string, description: string) {
  return invalidArgument(`${path}: ${description}`, { violations: [{ field: path, description }] });
}

// Only the first problem is reported. `abortEarly` stops there: to collect the problems of 20,000 wrong values takes 26 ms.
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
