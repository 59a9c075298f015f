import type { Part, Piece } from './paragraphs.ts';

// Headings of documents without tags: larger or bolder than the text, or numbered as headings are.

/** Longest heading, in characters of half width. */
const lengthMax = 120;
const linesMax = 3;
/** Size of a heading, in shares of that of the text. */
const larger = 1.12;
/** `第一章`, `Chapter 2`, `Part I`, `附录 A`. */
const chapter =
  /^(?:第\s?[\d一二三四五六七八九十百零〇]{1,5}\s?[章编部分篇节条]|(?:chapter|part|section|appendix|annex)\s+[\dA-Z]{1,4}\b|附录\s?[A-Z\d一二三四五])/iu;
/** `一、`, `（二）`, `1.2`, `3. Scope`. */
const ordinals = [/^[一二三四五六七八九十]{1,3}、/, /^[（(][一二三四五六七八九十]{1,3}[)）]/] as const;
const decimal = /^(\d{1,2}(?:\.\d{1,2}){0,4})[.、]?\s*(?=[\p{L}（(])/u;
const ended = /[。！？；，,;!?]$|[^.]\.$/u;

/** Sets the roles of the pieces that no tag has named: `heading` with a level, or `paragraph`. */
export function findHeadings(parts: readonly Part[]): void {
  const pieces = parts.filter((part) => part.kind === 'piece');
  const unknown = pieces.filter(({ size }) => size > 0);
  const body = bodyStyle(unknown);
  const headings = unknown
    .filter((piece) => piece.role !== 'list-item' || numberingOf(piece.text) !== undefined)
    .filter((piece) => isHeading(piece, body, pieces));
  const levels = levelsOf(headings);
  for (const piece of unknown) {
    const level = levels.get(piece);
    if (level !== undefined) Object.assign(piece, { role: 'heading', level });
    else if (piece.role === 'unknown') piece.role = 'paragraph';
  }
}

interface Style {
  size: number;
  isBold: boolean;
}

/** Returns the style of most characters. */
function bodyStyle(pieces: readonly Piece[]): Style {
  const lengths = new Map<string, number>();
  for (const piece of pieces) {
    const style = styleOf(piece);
    lengths.set(style, (lengths.get(style) ?? 0) + piece.text.length);
  }
  const [most = '0 false'] = [...lengths].sort(([, one], [, other]) => other - one)[0] ?? [];
  const [size, isBold] = most.split(' ');
  return { size: Number(size), isBold: isBold === 'true' };
}

function styleOf({ size, isBold }: Piece): string {
  return `${Math.round(size * 2) / 2} ${isBold}`;
}

function widthOf(text: string): number {
  return text.replace(/[^\p{sc=Latin}\p{ASCII}]/gu, 'xx').length;
}

function isHeading(piece: Piece, body: Style, pieces: readonly Piece[]): boolean {
  const { text, size, isBold, lineCount, spaceAbove } = piece;
  if (widthOf(text) > lengthMax || lineCount > linesMax || !/\p{L}/u.test(text)) return false;
  const isNumbered = numberingOf(text) !== undefined;
  // A heading has something below it.
  if (pieces.at(-1) === piece) return false;
  if (size >= body.size * larger) return !ended.test(text) || size >= body.size * 1.5;
  if (ended.test(text) || size < body.size * 0.95) return false;
  if (isBold && !body.isBold) return widthOf(text) <= 80 && spaceAbove > 0.25;
  return isNumbered && widthOf(text) <= 60 && spaceAbove > 0.5 && chapterOrOrdinal(text);
}

function chapterOrOrdinal(text: string): boolean {
  return chapter.test(text) || ordinals[0].test(text) || /^\d{1,2}\.\d/.test(text);
}

/** Returns how deep a numbered heading is, from 1; `undefined` without a number. */
function numberingOf(text: string): number | undefined {
  if (chapter.test(text)) return /^第.*?[节条]/.test(text) ? 2 : 1;
  const ordinal = ordinals.findIndex((one) => one.test(text));
  if (ordinal >= 0) return ordinal + 1;
  return decimal.exec(text)?.[1]?.split('.').length;
}

/** Returns levels by size, then weight, then numbering. */
function levelsOf(headings: readonly Piece[]): Map<Piece, number> {
  const styles = [...new Set(headings.map(styleOf))].sort((one, other) => {
    const [size = '', bold = ''] = one.split(' ');
    const [otherSize = '', otherBold = ''] = other.split(' ');
    return Number(otherSize) - Number(size) || otherBold.localeCompare(bold);
  });
  const levels = new Map<Piece, number>();
  const shallowest = new Map<string, number>();
  for (const piece of headings) {
    const depth = numberingOf(piece.text);
    const style = styleOf(piece);
    if (depth !== undefined) shallowest.set(style, Math.min(depth, shallowest.get(style) ?? depth));
  }
  for (const piece of headings) {
    const style = styleOf(piece);
    const depth = numberingOf(piece.text);
    const deeper = depth === undefined ? 0 : depth - (shallowest.get(style) ?? depth);
    levels.set(piece, Math.min(6, styles.indexOf(style) + 1 + deeper));
  }
  return levels;
}
