import { parse } from 'yaml';
import { z } from 'zod';
import { unavailable } from '#kit/base/errors.ts';
import type { EntryAccess } from '../source.ts';

const rules = z.strictObject({
  rules: z
    .array(
      z.strictObject({
        path: z.string().max(1024),
        groups: z.union([z.literal('everyone'), z.array(z.string().min(1).max(128)).max(64)]),
      }),
    )
    .max(10_000),
});

/** Largest file of rules, in bytes. */
export const rulesBytesMax = 1 << 20;

/**
 * Reads a file that says who may see the files of a place, as YAML or JSON: `rules: [{ path: hr/, groups: [hr] }]`. The rule with the longest
 * path with which an id begins decides; `groups: everyone` is no restriction. Returns the access of an id: no one without a rule. Throws
 * UNAVAILABLE if the file is not such a list; then no access changes.
 */
export function parseAccessRules(bytes: Uint8Array, name: string): (id: string) => EntryAccess {
  const fail = (what: string) => unavailable(name, `the file of access rules ${what}`);
  if (bytes.length > rulesBytesMax) throw fail(`is larger than ${rulesBytesMax} bytes`);
  let value: unknown;
  try {
    value = parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes), { maxAliasCount: 0 });
  } catch {
    throw fail('is not YAML');
  }
  const { data, error } = rules.safeParse(value);
  if (data === undefined) throw fail(`is wrong at ${error.issues[0]?.path.join('.') || 'its top'}`);
  const byPath = new Map(data.rules.map(({ path, groups }) => [path, groups]));
  // Two rules for one path would be a guess.
  if (byPath.size < data.rules.length) throw fail('has two rules for one path');
  const lengths = [...new Set(data.rules.map(({ path }) => path.length))].sort((a, b) => b - a);
  return (id) => {
    const length = lengths.find((each) => each <= id.length && byPath.has(id.slice(0, each)));
    return { id, groups: (length === undefined ? undefined : byPath.get(id.slice(0, length))) ?? [] };
  };
}
