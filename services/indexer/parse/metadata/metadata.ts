import { NoteKind } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { cleanLine, cleanText } from '../clean.ts';
import { noted, type Parsed } from '../parser.ts';
import { readGroups } from './groups.ts';
import { createNamedValues, isScalar, type NamedValues } from './named-values.ts';
import { names } from './names.ts';
import { readTime, toDay } from './time.ts';

/** What a document can say about itself beside its text. */
export interface Metadata {
  id: string;
  title: string;
  text: string;
  /** Other wordings of its question, which find it too. */
  similar: readonly string[];
  url: string;
  language: string;
  groups: readonly string[] | undefined;
  updatedAtMs: number | undefined;
  /** Also `owner`, and the days `review_at`, `valid_from` and `valid_until` as `2026-09-14`. */
  attributes: Record<string, string>;
  /** Whether it says that it is a draft, which no one should find. */
  isDraft: boolean;
  /** The word by which it asks to be private (`access: internal`) without naming groups; empty if it does not. */
  privateAccess: string;
}

const publicWords = new Set(['public', 'everyone', 'all', '公开', '所有人']);
const draftWords = new Set(['draft', 'unpublished', '草稿', '未发布']);
const dayAttributes = [
  ['review_at', names.review],
  ['valid_from', names.validFrom],
  ['valid_until', names.validUntil],
] as const;

/** Longest value of an attribute, in UTF-16 code units. Longer values are text and cannot be filtered by. */
const attributeLengthMax = 512;
const attributesMax = 48;
const similarMax = 200;

/**
 * Reads the metadata of a document from named values. Scalars with other names, and lists of them, become attributes. Throws
 * UnreadableError if the groups are not a list of names: a guess could show the document to everyone.
 */
export function readMetadata(given: Readonly<Record<string, unknown>>): Metadata {
  const values = createNamedValues(given);
  const title = cleanLine(values.text(names.title));
  const question = cleanLine(values.text(names.question));
  const answer = cleanText(values.text(names.text));
  const updated = values.text(names.updated).trim();
  const updatedAtMs = readTime(updated);
  const { isPublic, ...access } = readAccess(values);
  const similar = readSimilar(values.takeAll(names.similar));
  const attributes = readAttributes(values, updatedAtMs === undefined ? updated : '');
  return {
    id: cleanLine(values.text(names.id)),
    title: title || question,
    // If there is also a title, the question is part of the text, so that search finds it.
    text: title !== '' && question !== '' && answer.trim() !== '' ? `${question}\n${answer}` : answer,
    similar,
    url: cleanLine(values.text(names.url)),
    language: values.text(names.language).trim(),
    ...access,
    updatedAtMs,
    isDraft: isDraft(values),
    // What a document for everyone says of the organization is published.
    attributes: isPublic ? { ...attributes, access: 'public' } : attributes,
  };
}

function readAccess(values: NamedValues): Pick<Metadata, 'groups' | 'privateAccess'> & { isPublic: boolean } {
  const groups = readGroups(values.take(names.groups));
  const access = cleanLine(values.text(names.access)).toLowerCase();
  if (access === '' || groups !== undefined) return { groups, privateAccess: '', isPublic: false };
  if (publicWords.has(access)) return { groups: [], privateAccess: '', isPublic: true };
  // The word is the name of a group: who is not in it does not see the document.
  return { groups: readGroups([access]), privateAccess: access, isPublic: false };
}

function isDraft(values: NamedValues): boolean {
  const status = cleanLine(String(values.peek('status') ?? '')).toLowerCase();
  return isTrue(values.take(names.draft)) || draftWords.has(status);
}

/** Returns attributes: the known ones in one form, then the others. `updated` is a time that could not be read. */
function readAttributes(values: NamedValues, updated: string): Record<string, string> {
  const attributes: Record<string, string> = {};
  const add = (name: string, value: string) => {
    if (name === '' || name.length > 128 || value === '' || value.length > attributeLengthMax) return;
    if (Object.keys(attributes).length < attributesMax) attributes[name] = value;
  };
  add('updated', updated);
  add('owner', cleanLine(values.text(names.owner)));
  for (const [name, known] of dayAttributes) {
    const day = cleanLine(values.text(known));
    add(name, toDay(readTime(day)) ?? day);
  }
  for (const [name, given] of values.others()) {
    const value = Array.isArray(given) && given.every(isScalar) ? given.join(', ') : given;
    if (isScalar(value)) add(cleanLine(name), cleanLine(String(value)));
  }
  return attributes;
}

/** Returns the questions of values: lists, JSON lists, or texts with one question on each line or between `|` and `;`. */
function readSimilar(values: readonly unknown[]): string[] {
  const questions = values.flatMap((value) => {
    if (Array.isArray(value)) return value.filter(isScalar).map(String);
    if (!isScalar(value)) return [];
    const text = String(value).trim();
    if (!text.startsWith('[')) return text.split(/\n|\|+|;|；|##/);
    try {
      const listed: unknown = JSON.parse(text);
      return Array.isArray(listed) ? listed.filter(isScalar).map(String) : [text];
    } catch {
      return [text];
    }
  });
  return [...new Set(questions.map(cleanLine).filter((question) => question !== ''))].slice(0, similarMax);
}

function isTrue(value: unknown): boolean {
  return isScalar(value) && /^(?:true|yes|1|y|是)$/i.test(String(value).trim());
}

/** Returns what a parser yields about metadata beside the document. */
export function notesOn({ privateAccess }: Metadata, line = 0): Parsed[] {
  if (privateAccess === '') return [];
  const message = `access: only members of a group "${privateAccess}" see it; list its groups in "groups" to share it`;
  return [noted(NoteKind.MADE_PRIVATE, 1, message, line)];
}

/** Returns what a parser yields in place of a draft: what is live of the document is withdrawn. */
export function draftSkipped(documentId: string, line = 0): Parsed {
  const message = 'says that it is a draft and was left out';
  return { kind: 'note', note: { kind: NoteKind.DRAFT_SKIPPED, line, count: 1, message, withdrawnId: documentId } };
}
