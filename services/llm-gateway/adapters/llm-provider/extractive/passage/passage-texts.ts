import { LRUCache } from 'lru-cache';
import { detectLanguage } from '#kit/text/language.ts';
import { type SearchText, toSearchText } from './search-text.ts';
import { readUnits, type Unit } from './units.ts';

/** A passage's text as scoring wants it, whatever the question. */
export interface PassageText {
  units: readonly Unit[];
  /** Each unit, prepared for matching. */
  texts: readonly SearchText[];
  /** The heading of each unit; `undefined`: it has none. */
  headings: readonly (SearchText | undefined)[];
  title: SearchText;
  /** The headings above the passage. */
  path: SearchText;
  /** Length of the sentences of each block, in columns: a Chinese character takes two. */
  lengths: readonly number[];
  /** Language in which it is written. */
  language: 'zh' | 'en';
}

/** Reads passages; those that were read before are known, since the same passages are evidence again and again. */
export type ReadPassageText = (title: string, path: string, text: string) => PassageText;

/** A unit takes about this many bytes beside its text: objects, and the set of its tokens. */
const unitBytes = 1024;
/** A character of a text takes about this many bytes: as it is, in normal form, and in tokens. */
const characterBytes = 16;

/** Creates the reader; it keeps `maxBytes` of what it read, by an estimate. */
export function createPassageTexts(maxBytes: number): ReadPassageText {
  // By the text alone: within a process it is the same string each time, whose hash is known. Few texts have two titles.
  const known = new LRUCache<string, { title: string; path: string; passage: PassageText }>({
    maxSize: maxBytes,
    sizeCalculation: ({ passage }, text) => 1024 + passage.units.length * unitBytes + text.length * characterBytes,
  });
  return (title, path, text) => {
    const found = known.get(text);
    if (found?.title === title && found.path === path) return found.passage;
    const passage = readPassageText(title, path, text);
    known.set(text, { title, path, passage });
    return passage;
  };
}

/** Reads a passage. */
export function readPassageText(title: string, path: string, text: string): PassageText {
  const all = readUnits(text);
  // A text of one line is its own title.
  const units = all.length === 1 ? all : all.filter((unit) => unit.text !== title);
  const headings = new Map<string, SearchText>();
  const headingOf = ({ heading }: Unit): SearchText | undefined => {
    if (heading === '') return undefined;
    const read = headings.get(heading) ?? toSearchText(heading);
    headings.set(heading, read);
    return read;
  };
  const lengths: number[] = [];
  for (const { block, kind, text: quoted } of units) {
    if (kind === 'sentence') lengths[block] = (lengths[block] ?? 0) + columnsOf(quoted);
  }
  return {
    units,
    lengths,
    texts: units.map((unit) => toSearchText(unit.text)),
    headings: units.map(headingOf),
    title: toSearchText(title),
    path: toSearchText(path),
    language: detectLanguage(text) === 'zh' ? 'zh' : 'en',
  };
}

function columnsOf(text: string): number {
  return text.length + (text.match(/\p{sc=Han}/gu)?.length ?? 0);
}
