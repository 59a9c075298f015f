import { type Box, type Glyph, hullOf } from './geometry.ts';

/** A run of characters without white space. */
export interface Word extends Box {
  text: string;
  baseline: number;
  size: number;
  isBold: boolean;
  glyphs: readonly Glyph[];
  /** Whether a space is written before it, or seems to be. */
  space: 'written' | 'seen' | 'none';
}

/** Words of one line with no wide gap between them. */
export interface Segment extends Box {
  words: Word[];
  text: string;
  size: number;
  isBold: boolean;
}

/** Segments side by side on one line of writing. */
export interface Row extends Box {
  segments: Segment[];
  baseline: number;
}

/** Gaps in shares of the size of the font: a space is wider than the first, and a wide gap than the second. */
const gaps = { space: 0.18, wide: 1.15 };

/** Returns the words of glyphs, in the order of the file. */
export function wordsOf(glyphs: readonly Glyph[]): Word[] {
  const words: Word[] = [];
  let open: Glyph[] = [];
  const flush = () => {
    if (open.length > 0) words.push(toWord(open));
    open = [];
  };
  for (const glyph of glyphs) {
    const last = open.at(-1);
    if (last !== undefined && !continues(last, glyph)) flush();
    if (isShadow(last, glyph)) continue;
    open.push(glyph);
  }
  flush();
  return words;
}

function continues(last: Glyph, glyph: Glyph): boolean {
  if (glyph.follows === 'space' || glyph.follows === 'gap') return false;
  const size = Math.max(last.size, glyph.size);
  const gap = glyph.left - last.right;
  // A baseline that differs a little is an index.
  if (Math.abs(glyph.baseline - last.baseline) > size * 0.4 || gap < -size * 0.6) return false;
  const isWide = (one: Glyph) =>
    /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}\u3000-\u303f\uff00-\uffef]/u.test(one.text);
  return gap <= size * (isWide(last) || isWide(glyph) ? 0.5 : gaps.space);
}

/** Reports whether a character is drawn again nearly over itself, to look bold. */
function isShadow(last: Glyph | undefined, glyph: Glyph): boolean {
  if (last === undefined || last.text !== glyph.text) return false;
  return (
    Math.abs(last.left - glyph.left) < glyph.size * 0.15 && Math.abs(last.baseline - glyph.baseline) < glyph.size * 0.15
  );
}

function toWord(glyphs: readonly Glyph[]): Word {
  const first = glyphs[0] as Glyph;
  const bold = glyphs.filter(({ isBold }) => isBold).length;
  const size = Math.max(...glyphs.map((glyph) => glyph.size));
  const text = glyphs.map((glyph) => glyph.text).join('');
  const space = first.follows === 'space' ? 'written' : first.follows === 'gap' ? 'seen' : 'none';
  return { ...hullOf(glyphs), text, baseline: first.baseline, size, isBold: bold * 2 > glyphs.length, glyphs, space };
}

interface OpenRow {
  words: Word[];
  baseline: number;
  size: number;
}

/** Returns words as rows from top to bottom, each with its segments from left to right. */
export function rowsOf(words: readonly Word[]): Row[] {
  const done: OpenRow[] = [];
  const rows: OpenRow[] = [];
  const sorted = [...words].sort((one, other) => one.baseline - other.baseline || one.left - other.left);
  for (const word of sorted) {
    const row = rows.findLast(
      (candidate) => Math.abs(candidate.baseline - word.baseline) <= Math.max(candidate.size, word.size) * 0.3,
    );
    if (row === undefined) rows.push({ words: [word], baseline: word.baseline, size: word.size });
    else {
      row.words.push(word);
      if (word.size > row.size) Object.assign(row, { size: word.size, baseline: word.baseline });
    }
    // Only the last rows can take a word: the others are above it.
    if (rows.length > 4) done.push(...rows.splice(0, rows.length - 4));
  }
  return [...done, ...rows].map(toRow).sort((one, other) => one.baseline - other.baseline);
}

function toRow({ words, baseline }: OpenRow): Row {
  return { ...hullOf(words), baseline, segments: segmentsOf(words) };
}

/** Splits the words of a line at wide gaps. */
export function segmentsOf(words: readonly Word[]): Segment[] {
  const parts: Word[][] = [];
  for (const word of [...words].sort((one, other) => one.left - other.left)) {
    const open = parts.at(-1);
    const last = open?.at(-1);
    const right = open === undefined ? 0 : Math.max(...open.map((one) => one.right));
    if (open === undefined || last === undefined || word.left - right > Math.max(last.size, word.size) * gaps.wide)
      parts.push([word]);
    else open.push(word);
  }
  return parts.map(toSegment);
}

/** Returns words of one line as a segment. */
export function toSegment(words: readonly Word[]): Segment {
  // Letters that are set apart, as in titles of Chinese documents, are one word.
  const isSpread =
    words.length > 3 && words.filter(({ text }) => text.length === 1 && wide.test(text)).length > words.length * 0.6;
  let text = '';
  let last: Word | undefined;
  for (const word of words) {
    const gap = last === undefined ? 0 : word.left - last.right;
    const isApart = last !== undefined && (word.space !== 'none' || gap > word.size * gaps.space);
    const isWritten = needsSpace(text, word.text) || (word.space === 'written' && !isSpread);
    text += isApart && isWritten ? ` ${word.text}` : word.text;
    last = word;
  }
  const bold = words.filter(({ isBold }) => isBold).length;
  const size = Math.max(...words.map((word) => word.size));
  return { ...hullOf(words), words: [...words], text, size, isBold: bold * 2 > words.length };
}

const wide = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\u3000-\u303f\uff00-\uffef]/u;

/** Reports whether two words are written with a space between them: not between two characters of Chinese or Japanese. */
export function needsSpace(before: string, after: string): boolean {
  if (before === '' || after === '') return false;
  return !(wide.test(before.slice(-1)) && wide.test(after.slice(0, 1)));
}
