import { cleanLine, cleanText } from './clean.ts';
import { UnreadableError } from './parser.ts';

/** What a document can say about itself beside its text. */
export interface Metadata {
  id: string;
  title: string;
  text: string;
  url: string;
  language: string;
  groups: readonly string[] | undefined;
  updatedAtMs: number | undefined;
  attributes: Record<string, string>;
}

/** Accepted names of each value, in lower case. The first one with a value is used. */
const names = {
  id: ['id'],
  title: ['title', '标题'],
  question: ['question', '问题', '问'],
  text: ['text', 'content', 'body', 'answer', '正文', '内容', '答案', '回答', '答'],
  url: ['url', 'link', '网址', '链接'],
  language: ['language', 'lang', '语言'],
  groups: ['groups', 'group', '权限组'],
  updated: ['updated', 'updated_at', 'date', '更新时间', '更新日期'],
} as const;

/** Names that {@link readMetadata} accepts for a text, for messages. */
export const textNames = names.text;
/** Names that {@link readMetadata} accepts for a title, for messages. */
export const titleNames = [...names.title, ...names.question];

/** Longest value of an attribute, in UTF-16 code units. Longer values are text and cannot be filtered by. */
const attributeLengthMax = 512;
const attributesMax = 48;
const groupsMax = 64;

/**
 * Reads the metadata of a document from named values; names are compared without case. Scalars with other names become
 * attributes. Throws UnreadableError if the groups are not a list of names: a guess could show the document to everyone.
 */
export function readMetadata(values: Readonly<Record<string, unknown>>): Metadata {
  const left = new Map<string, { name: string; value: unknown }>();
  for (const [given, value] of Object.entries(values)) {
    const name = cleanLine(given);
    left.set(name.toLowerCase(), { name, value });
  }
  const take = (known: readonly string[]): unknown => {
    const key = known.find((name) => isGiven(left.get(name)?.value));
    if (key === undefined) return undefined;
    const value = left.get(key)?.value;
    left.delete(key);
    return value;
  };
  const scalar = (known: readonly string[]): string => {
    const value = take(known);
    return isScalar(value) ? String(value) : '';
  };
  const title = cleanLine(scalar(names.title));
  const question = cleanLine(scalar(names.question));
  const answer = cleanText(scalar(names.text));
  const metadata: Metadata = {
    id: cleanLine(scalar(names.id)),
    title: title || question,
    // If there is also a title, the question is part of the text, so that search finds it.
    text: title !== '' && question !== '' && answer.trim() !== '' ? `${question}\n${answer}` : answer,
    url: cleanLine(scalar(names.url)),
    language: scalar(names.language).trim(),
    groups: readGroups(take(names.groups)),
    updatedAtMs: undefined,
    attributes: {},
  };
  const updated = scalar(names.updated).trim();
  metadata.updatedAtMs = readTime(updated);
  const isAttribute = updated !== '' && updated.length <= attributeLengthMax;
  if (isAttribute && metadata.updatedAtMs === undefined) metadata.attributes.updated = updated;
  for (const { name, value } of left.values()) {
    if (!isScalar(value) || name === '' || name.length > 128) continue;
    const line = cleanLine(String(value));
    if (line === '' || line.length > attributeLengthMax) continue;
    if (Object.keys(metadata.attributes).length >= attributesMax) break;
    metadata.attributes[name] = line;
  }
  return metadata;
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null && value !== '';
}

function isScalar(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

function readGroups(value: unknown): readonly string[] | undefined {
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

/** Returns the milliseconds since 1970 of an ISO 8601 time, a day, or `2026/9/14`; `undefined` for anything else. */
function readTime(value: string): number | undefined {
  if (!/^\d{4}[-/]\d{1,2}[-/]\d{1,2}/.test(value)) return undefined;
  const ms = Date.parse(
    value.replace(/^(\d{4})[-/](\d{1,2})[-/](\d{1,2})/, (_, year, month, day) => {
      return `${year}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`;
    }),
  );
  return Number.isNaN(ms) ? undefined : ms;
}
