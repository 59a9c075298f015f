import { cleanLine } from '../clean.ts';
import { UnreadableError } from '../parser.ts';
import { isScalar } from './named-values.ts';

const groupsMax = 64;

/**
 * Returns the groups of a list or of a text with names between commas; `undefined` without a value. Throws UnreadableError for anything
 * else: a guess could show the document to everyone.
 */
export function readGroups(value: unknown): readonly string[] | undefined {
  if (value === undefined) return undefined;
  const listed = typeof value === 'string' ? value.split(/[,;|，；、]/) : value;
  if (!Array.isArray(listed) || listed.length > groupsMax) throw badGroups();
  const groups = listed.map((group) => {
    if (!isScalar(group)) throw badGroups();
    return cleanLine(String(group));
  });
  const given = groups.filter((group) => group !== '');
  if (given.some((group) => group.length > 128 || group.startsWith('*'))) throw badGroups();
  // "groups: ," names no group, so it is an error; only an empty list means everyone.
  if (given.length === 0 && groups.length > 0) throw badGroups();
  return [...new Set(given)];
}

function badGroups(): UnreadableError {
  return new UnreadableError(
    `"groups" must list at most ${groupsMax} names of groups, each of 1 to 128 characters and without "*" in front`,
  );
}
