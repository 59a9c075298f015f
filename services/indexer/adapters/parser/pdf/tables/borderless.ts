import { hullOf, medianOf, overlapX, type Rule } from '../layout/geometry.ts';
import type { Row, Segment, Word } from '../layout/words.ts';
import { compact } from './ruled.ts';
import { type Cell, cellText, isNumeric, isStrongText, type Table } from './table.ts';

// Tables without lines between their columns: rows whose words leave the same vertical strips free.

/** A table, or lines of prose that are side by side as columns, with the rows of text that it replaces. */
export interface FoundTable {
  table: Table | Row[];
  /** First of its rows, and the one after the last. */
  from: number;
  to: number;
}

/** Rows between two rows of a table that may have one segment only. */
const singleRowsMax = 2;
/** Largest distance between two rows of a table, in shares of the size of the font. */
const distanceMax = 3.2;
/** Distance above a line, in shares of that of the rows above it, from which it is the heading of something else. */
const headingDistance = 1.6;
/** Share of the rows that may have a word in a strip that divides columns: a cell that covers several. */
const crossedShare = 0.15;
/** Least width of such a strip, in shares of the size of the font. */
const stripMin = 0.55;
/** Least width of the part of a strip that is free in all rows, to divide the columns there. */
const freeMin = 0.3;

/** Returns the tables in the rows of one column of text. Lines of text that `rules` divide are different rows. */
export function findBorderlessTables(rows: readonly Row[], rules: readonly Rule[]): FoundTable[] {
  const found: FoundTable[] = [];
  for (const { from, to } of blocksOf(rows)) {
    const block = rows.slice(from, to);
    const columns = columnsOf(block);
    if (columns === undefined) continue;
    const table = toTable(block, columns, rules);
    if (table !== undefined) found.push({ table, from, to });
  }
  return found;
}

/** Returns runs of rows of which most have several segments. */
function blocksOf(rows: readonly Row[]): { from: number; to: number }[] {
  const blocks: { from: number; to: number }[] = [];
  let open: { from: number; to: number } | undefined;
  for (const [index, row] of rows.entries()) {
    if (row.segments.length < 2) continue;
    const isNext = open !== undefined && index - open.to <= singleRowsMax && isClose(rows, open, index);
    if (open !== undefined && isNext) open.to = index + 1;
    else {
      open = { from: index, to: index + 1 };
      blocks.push(open);
    }
  }
  return blocks.filter(({ from, to }) => to - from >= 2);
}

/** Reports whether a row belongs to the rows of a block: not far below, and not below a line that is set apart as a heading. */
function isClose(rows: readonly Row[], block: { from: number; to: number }, to: number): boolean {
  const inside = rows.slice(block.from, block.to);
  const distances = inside.slice(1).map((row, index) => row.baseline - (inside[index] as Row).baseline);
  const between = rows[block.to];
  if (between !== undefined && block.to < to && distances.length >= 2) {
    const distance = between.baseline - (rows[block.to - 1] as Row).baseline;
    if (distance > medianOf(distances) * headingDistance) return false;
  }
  for (let index = block.to; index <= to; index++) {
    const above = rows[index - 1] as Row;
    const row = rows[index] as Row;
    if (row.baseline - above.baseline > sizeOf(row) * distanceMax + 4) return false;
  }
  return true;
}

function sizeOf({ segments }: Row): number {
  return Math.max(...segments.map(({ size }) => size));
}

/** A column, as the range between two strips. */
interface Column {
  left: number;
  right: number;
}

/** Returns the columns of a block; `undefined` if there are not two. */
function columnsOf(block: readonly Row[]): Column[] | undefined {
  const rows = block.filter(({ segments }) => segments.length >= 2);
  const hull = hullOf(rows);
  const size = medianOf(rows.map(sizeOf));
  const step = 1;
  const counts = new Array<number>(Math.ceil((hull.right - hull.left) / step) + 1).fill(0);
  for (const row of rows) {
    for (const { left, right } of mergeWords(row)) {
      const start = Math.floor((left - hull.left) / step);
      const end = Math.ceil((right - hull.left) / step);
      for (let at = start; at < end; at++) counts[at] = (counts[at] ?? 0) + 1;
    }
  }
  const crossedMax = Math.floor(rows.length * crossedShare);
  const strips: (Column & { middle: number })[] = [];
  let start: number | undefined;
  for (const [at, count] of counts.entries()) {
    if (count <= crossedMax) start ??= at;
    else if (start !== undefined) {
      const core = freest(counts, start, at);
      const free = core.end - core.start >= size * freeMin ? core : { start, end: at };
      const middle = hull.left + ((free.start + free.end) / 2) * step;
      strips.push({ left: hull.left + start * step, right: hull.left + at * step, middle });
      start = undefined;
    }
  }
  const dividing = strips.filter((strip) => strip.right - strip.left >= size * stripMin && divides(rows, strip));
  if (dividing.length === 0) return undefined;
  const middles = dividing.map(({ middle }) => middle);
  return [hull.left, ...middles].map((left, index) => ({ left, right: middles[index] ?? hull.right + 1 }));
}

/** Returns the longest part of a strip in which fewest rows have a word: a header that reaches into it is beside the middle. */
function freest(counts: readonly number[], from: number, to: number): { start: number; end: number } {
  const least = Math.min(...counts.slice(from, to));
  let best = { start: from, end: from };
  let start = from;
  for (let at = from; at <= to; at++) {
    if (at < to && counts[at] === least) continue;
    if (at - start > best.end - best.start) best = { start, end: at };
    start = at + 1;
  }
  return best;
}

/** Returns the words of a row, those without a clear gap between them as one. */
function mergeWords(row: Row): Column[] {
  const merged: Column[] = [];
  for (const { words } of row.segments) {
    for (const { left, right, size } of words) {
      const last = merged.at(-1);
      if (last !== undefined && left - last.right < size * 0.5) last.right = Math.max(last.right, right);
      else merged.push({ left, right });
    }
  }
  return merged;
}

/** Reports whether enough rows have words on both sides. */
function divides(rows: readonly Row[], { middle }: { middle: number }): boolean {
  const both = rows.filter(
    (row) =>
      row.left < middle && row.right > middle && !row.segments.some((one) => one.left < middle && one.right > middle),
  );
  return both.length >= Math.max(2, rows.length * 0.3);
}

function toTable(block: readonly Row[], columns: readonly Column[], rules: readonly Rule[]): Table | Row[] | undefined {
  const lines = block.map((row) => ({ row, cells: cellsOf(row, columns) }));
  const filled = lines.filter(({ cells }) => cells.length >= 2).length;
  if (filled < (columns.length >= 3 ? 2 : 3) && lines.length < 3) return undefined;
  const groups = groupLines(lines, rules);
  const cells: Cell[] = groups.flatMap((group, row) => {
    const parts = Map.groupBy(
      group.flatMap((line) => line.cells),
      ({ column }) => column,
    );
    return [...parts.values()].map((own) => ({
      ...{ row, column: (own[0] as LineCell).column, rowSpan: 1 },
      columnSpan: Math.max(...own.map(({ columnSpan }) => columnSpan)),
      text: cellText(own.flatMap(({ words }) => words)),
      isStrong: isStrongText(own.flatMap(({ words }) => words)),
      box: hullOf(own.flatMap(({ words }) => words)),
    }));
  });
  if (groups.length < 2) return undefined;
  if (isProse(cells)) return splitAt(block, columns);
  return compact(cells, hullOf(block), false);
}

/** Returns rows in the order of columns of prose. */
function splitAt(block: readonly Row[], columns: readonly Column[]): Row[] {
  return columns.flatMap(({ left }, index) => {
    const end = columns[index + 1]?.left ?? Number.POSITIVE_INFINITY;
    const start = index === 0 ? Number.NEGATIVE_INFINITY : left;
    return block.flatMap((row) => {
      const segments = row.segments.filter((segment) => segment.left >= start && segment.left < end);
      return segments.length === 0 ? [] : [{ ...row, ...hullOf(segments), segments }];
    });
  });
}

interface LineCell {
  column: number;
  columnSpan: number;
  words: Word[];
}

interface Line {
  row: Row;
  cells: LineCell[];
}

/** Returns the cells of one line; a segment that reaches over a strip covers several columns. */
function cellsOf(row: Row, columns: readonly Column[]): LineCell[] {
  const cells: LineCell[] = [];
  for (const segment of row.segments) {
    for (const part of partsOf(segment, columns)) {
      const left = Math.min(...part.map((word) => word.left));
      const right = Math.max(...part.map((word) => word.right));
      const covered = columns.flatMap((column, index) => {
        const shared = overlapX({ left, right, top: 0, bottom: 0 }, { ...column, top: 0, bottom: 0 });
        return shared > Math.min(4, (right - left) / 2) ? [index] : [];
      });
      const column = covered[0] ?? columns.findLastIndex((one) => one.left <= left);
      const last = cells.at(-1);
      if (last !== undefined && column < last.column + last.columnSpan) {
        last.words.push(...part);
        last.columnSpan = Math.max(last.columnSpan, (covered.at(-1) ?? column) - last.column + 1);
      } else cells.push({ column: Math.max(0, column), columnSpan: Math.max(1, covered.length), words: part });
    }
  }
  return cells;
}

/** Splits a segment between words at the strips: gaps between columns can be narrower than a wide gap. */
function partsOf({ words }: Segment, columns: readonly Column[]): Word[][] {
  const parts: Word[][] = [];
  let last: Word | undefined;
  for (const word of words) {
    const isSplit =
      last !== undefined &&
      word.left - last.right >= word.size * stripMin &&
      columns.some(({ left }) => left > (last as Word).right - 1 && left < word.left + 1);
    if (isSplit || parts.length === 0) parts.push([word]);
    else parts.at(-1)?.push(word);
    last = word;
  }
  return parts;
}

/** Groups lines of text that are one row of the table: a line without its first cell continues the one above. */
function groupLines(lines: readonly Line[], rules: readonly Rule[]): Line[][] {
  const groups: Line[][] = [];
  const distances = lines.slice(1).map((line, index) => line.row.baseline - (lines[index] as Line).row.baseline);
  const usual = medianOf(distances);
  for (const [index, line] of lines.entries()) {
    const open = groups.at(-1);
    const above = lines[index - 1];
    const isContinued =
      open !== undefined &&
      above !== undefined &&
      continuesRow(open, above, line, usual) &&
      !rules.some((rule) => rule.isHorizontal && isBetween(rule, above.row, line.row));
    if (isContinued && open !== undefined) open.push(line);
    else groups.push([line]);
  }
  return groups;
}

function continuesRow(open: readonly Line[], above: Line, line: Line, usual: number): boolean {
  const distance = line.row.baseline - above.row.baseline;
  const size = sizeOf(line.row);
  if (distance > Math.max(size * 1.5, usual * 0.98) && distance > size * 1.35) return false;
  if (line.cells.length === 0) return true;
  const hasFirst = line.cells.some(({ column }) => column === 0);
  const isText = line.cells.every(({ words }) => !isNumeric(words.map(({ text }) => text).join(' ')));
  const taken = new Set(
    open.flatMap(({ cells }) => cells.flatMap(({ column, columnSpan }) => columnsFrom(column, columnSpan))),
  );
  const isBelow = line.cells.every(({ column, columnSpan }) =>
    columnsFrom(column, columnSpan).some((one) => taken.has(one)),
  );
  if (!hasFirst) return isText && isBelow && line.cells.length < Math.max(2, above.cells.length + 1);
  // The words of the first cell continue, and nothing else is on the line.
  return line.cells.length === 1 && isText && above.cells.length > 1 && /^[\p{Ll}(]/u.test(textOf(line));
}

function columnsFrom(column: number, span: number): number[] {
  return Array.from({ length: span }, (_, index) => column + index);
}

function textOf({ cells }: Line): string {
  return cells.flatMap(({ words }) => words.map(({ text }) => text)).join(' ');
}

function isBetween(rule: Rule, above: Row, below: Row): boolean {
  const y = (rule.top + rule.bottom) / 2;
  return y > above.baseline - 2 && y < below.baseline - sizeOf(below) * 0.5 && overlapX(rule, below) > 0;
}

/** Reports whether cells are lines of prose side by side: sentences, and hardly a number. */
function isProse(cells: readonly Cell[]): boolean {
  const long = cells.filter(
    ({ text }) => text.length > 60 || text.split(' ').length >= 4 || /\p{sc=Han}{12}/u.test(text),
  );
  const numbers = cells.filter(({ text }) => isNumeric(text));
  return long.length >= cells.length * 0.6 && numbers.length <= cells.length * 0.1;
}
