import type { Box } from '../layout/geometry.ts';
import { needsSpace, type Row, rowsOf, type Word } from '../layout/words.ts';

/** A cell of a table. */
export interface Cell {
  row: number;
  column: number;
  rowSpan: number;
  columnSpan: number;
  text: string;
  /** Whether it is set or tagged as the name of a row or column. */
  isStrong: boolean;
  /** Around its words. */
  box: Box;
}

/** A table of a page. */
export interface Table extends Box {
  rowCount: number;
  columnCount: number;
  /** Cells with text, by row and column. */
  cells: Cell[];
  /** Rows at its top that name the columns. */
  headerCount: number;
}

/** Returns the text of words in a cell, line by line, as one line. */
export function cellText(words: readonly Word[]): string {
  return rowsOf(words).reduce((text, row) => joinLines(text, rowText(row)), '');
}

/** Returns the text of a row. */
export function rowText({ segments }: Pick<Row, 'segments'>): string {
  return segments.map(({ text }) => text).join(' ');
}

/** Returns two lines of a cell or paragraph as one. */
export function joinLines(before: string, after: string): string {
  return needsSpace(before, after) ? `${before} ${after}` : before + after;
}

const number =
  /^[\s(（]*[-–—−+<>≤≥~≈$€£¥￥△▲]*\s*[\d.,'%:/\s–-]*\d[\d.,'\s]*[%)）*†‡a-z]?\s*(?:[元天件个次年月日kKmM%]+)?$/u;

/** Reports whether a cell holds a number, an amount, a date in digits, or a mark for none. */
export function isNumeric(text: string): boolean {
  return number.test(text) || /^(?:[-–—.…*]+|n\/?a|nil|\(?[a-z]\)?)$/i.test(text.trim());
}

/** Most rows of a header. */
const headerRowsMax = 5;

/**
 * Returns how many rows at the top name the columns: those above the first row with numbers; without numbers, those that are set apart.
 * `isRuled`: lines divide its rows, as in tables that have a header.
 */
export function headerCountOf(cells: readonly Cell[], rowCount: number, isRuled: boolean): number {
  const rows = Array.from({ length: rowCount }, (_, row) => cells.filter((cell) => cell.row === row));
  const strong = rows.findIndex((row) => row.length === 0 || !row.every(({ isStrong }) => isStrong));
  if (strong > 0) return Math.min(strong, headerRowsMax);
  const first = rows.findIndex((row) => {
    const own = row.filter(({ column }) => column > 0);
    return own.length > 0 && own.filter(({ text }) => isNumeric(text)).length * 2 >= own.length;
  });
  if (first >= 0) return Math.min(first, headerRowsMax, rowCount - 1);
  return isRuled && rowCount >= 3 && !isAlike(rows[0] ?? [], rows[1] ?? []) ? 1 : 0;
}

/** Reports whether a column has digits in both rows: then the first is no header. */
function isAlike(one: readonly Cell[], other: readonly Cell[]): boolean {
  return one.some(({ column, text }) => {
    const below = other.find((cell) => cell.column === column);
    return column > 0 && /\d/.test(text) && below !== undefined && /\d/.test(below.text);
  });
}

/** Reports whether most of the words are bold. */
export function isStrongText(words: readonly Word[]): boolean {
  return words.filter(({ isBold }) => isBold).length * 2 > words.length;
}
