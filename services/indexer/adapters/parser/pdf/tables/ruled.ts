import { type Box, hullOf, overlapX, overlapY, type Rule } from '../layout/geometry.ts';
import { rowsOf, type Word } from '../layout/words.ts';
import { splitRow } from './split-rows.ts';
import { type Cell, cellText, headerCountOf, isStrongText, type Table } from './table.ts';

// Tables with ruling lines between their cells: lines that meet form a grid; what no line divides is one cell.

/** Distance in points within which lines meet and positions are the same. */
const near = 3;
/** Share of a cell's side that a line must cover to divide it from the next cell. */
const coverShare = 0.6;
const limits = { rules: 3000, lines: 400 };
/** A field with as many words and lines, of which such a share has gaps, lays out the page. */
const layout = { words: 20, rows: 8, share: 0.3 };
const depthMax = 3;

/** A grid of lines with what divides its cells. */
interface Grid extends Box {
  xs: number[];
  ys: number[];
  rules: Rule[];
}

/** A table with the words in it. */
export interface RuledTable {
  table: Table;
  words: Word[];
}

/** Returns the tables that rules form. In a grid that lays out the page, the tables are in its cells. */
export function findRuledTables(rules: readonly Rule[], words: readonly Word[], depth = 0): RuledTable[] {
  if (depth > depthMax || words.length === 0) return [];
  return gridsOf(rules.slice(0, limits.rules)).flatMap((grid) => {
    const inside = words.filter((word) => centerIn(word, grid));
    const fields = fieldsOf(grid, inside);
    const frames = fields.filter(isLayout);
    if (frames.length > 0) {
      return frames.flatMap((field) => findRuledTables(rulesInside(rules, field.area), field.words, depth + 1));
    }
    const table = tableOf(grid, fields);
    return table === undefined ? [] : [{ table, words: inside }];
  });
}

/** Reports whether a field of a grid is too large for a cell: it has many lines, several with wide gaps. */
function isLayout({ words }: Field): boolean {
  if (words.length < layout.words) return false;
  const rows = rowsOf(words);
  return (
    rows.length >= layout.rows &&
    rows.filter(({ segments }) => segments.length >= 2).length >= rows.length * layout.share
  );
}

function rulesInside(rules: readonly Rule[], { left, top, right, bottom }: Box): Rule[] {
  return rules.filter(
    (rule) =>
      rule.left >= left - near &&
      rule.right <= right + near &&
      rule.top >= top - near &&
      rule.bottom <= bottom + near &&
      // Not the sides of the field itself.
      (rule.isHorizontal
        ? rule.top > top + near && rule.bottom < bottom - near
        : rule.left > left + near && rule.right < right - near),
  );
}

function gridsOf(rules: readonly Rule[]): Grid[] {
  const groups = groupRules(rules);
  return groups.flatMap((members) => {
    const horizontal = members.filter(({ isHorizontal }) => isHorizontal);
    const vertical = members.filter(({ isHorizontal }) => !isHorizontal);
    const hull = hullOf(members);
    const ys = positionsOf(horizontal.map(({ top, bottom }) => (top + bottom) / 2));
    const inner = vertical.map(({ left, right }) => (left + right) / 2);
    // The outer sides of a table may be open.
    const xs = positionsOf([...inner, hull.left, hull.right]);
    const isGrid = ys.length >= 2 && xs.length >= 3 && vertical.length > 0 && ys.length + xs.length <= limits.lines;
    return isGrid ? [{ ...hull, xs, ys, rules: members }] : [];
  });
}

/** Groups rules that meet, directly or over others. */
function groupRules(rules: readonly Rule[]): Rule[][] {
  const parents = rules.map((_, index) => index);
  const rootOf = (index: number): number => {
    let root = index;
    while (parents[root] !== root) root = parents[root] as number;
    parents[index] = root;
    return root;
  };
  const byTop = rules.map((rule, index) => ({ rule, index })).sort((a, b) => a.rule.top - b.rule.top);
  for (const [at, { rule, index }] of byTop.entries()) {
    for (let next = at + 1; next < byTop.length; next++) {
      const other = byTop[next] as { rule: Rule; index: number };
      if (other.rule.top > rule.bottom + near) break;
      if (overlapX(rule, other.rule) >= -near) parents[rootOf(other.index)] = rootOf(index);
    }
  }
  const groups = Map.groupBy(rules, (_, index) => rootOf(index));
  return [...groups.values()].filter((members) => members.length >= 3);
}

/** Returns positions that differ, in order; near ones are one. */
function positionsOf(values: readonly number[]): number[] {
  const positions: number[] = [];
  for (const value of [...values].sort((a, b) => a - b)) {
    if (positions.length === 0 || value - (positions.at(-1) as number) > near) positions.push(value);
  }
  return positions;
}

/** A cell of a grid, with the words in it. */
interface Field extends Omit<Cell, 'text' | 'isStrong' | 'box'> {
  area: Box;
  words: Word[];
}

function fieldsOf(grid: Grid, words: readonly Word[]): Field[] {
  const { xs, ys } = grid;
  const columnCount = xs.length - 1;
  const areas = mergeCells(grid);
  const byArea = Map.groupBy(words, (word) => {
    const column = indexOf(xs, (word.left + word.right) / 2);
    const row = indexOf(ys, (word.top + word.bottom) / 2);
    return areas[row * columnCount + column] as number;
  });
  return [...byArea].map(([number, own]) => {
    const members = areas.flatMap((one, index) => (one === number ? [index] : []));
    const rows = members.map((index) => Math.floor(index / columnCount));
    const columns = members.map((index) => index % columnCount);
    const [row, rowEnd] = [Math.min(...rows), Math.max(...rows) + 1];
    const [column, columnEnd] = [Math.min(...columns), Math.max(...columns) + 1];
    const [left = 0, right = 0, top = 0, bottom = 0] = [xs[column], xs[columnEnd], ys[row], ys[rowEnd]];
    return {
      ...{ row, column, rowSpan: rowEnd - row, columnSpan: columnEnd - column },
      ...{ area: { left, top, right, bottom }, words: own },
    };
  });
}

function tableOf(grid: Grid, fields: readonly Field[]): Table | undefined {
  const cells = splitRows(fields).map(({ area: _, words, ...place }) => ({
    ...place,
    text: cellText(words),
    isStrong: isStrongText(words),
    box: hullOf(words),
  }));
  const table = compact(cells, grid, true);
  // A frame around text, or boxes one below the other, are no table.
  return table.columnCount >= 2 && table.cells.length >= 3 ? table : undefined;
}

/** Returns the fields with those rows of the grid divided that hold several rows of the table. */
function splitRows(fields: readonly Field[]): Field[] {
  const rows = Map.groupBy(fields, ({ row }) => row);
  const all: Field[] = [];
  let added = 0;
  for (const [row, own] of [...rows].sort(([one], [other]) => one - other)) {
    const single = own.filter(({ rowSpan }) => rowSpan === 1);
    const spanning = own.filter(({ rowSpan }) => rowSpan > 1);
    const parts =
      spanning.length > 0 || single.length < 2
        ? [single.map((field) => ({ field, words: field.words }))]
        : splitRow(single);
    for (const [index, part] of parts.entries()) {
      for (const { field, words } of part) all.push({ ...field, words, row: row + added + index });
    }
    for (const field of spanning) all.push({ ...field, row: row + added });
    added += parts.length - 1;
  }
  return all;
}

/** Returns for each field of the grid the number of its cell: fields that no line divides are one. */
function mergeCells({ xs, ys, rules }: Grid): number[] {
  const columnCount = xs.length - 1;
  const rowCount = ys.length - 1;
  const areas = Array.from({ length: rowCount * columnCount }, (_, index) => index);
  const join = (one: number, other: number) => {
    const [from, to] = [areas[other], areas[one]];
    for (const [index, area] of areas.entries()) if (area === from) areas[index] = to as number;
  };
  for (let row = 0; row < rowCount; row++) {
    for (let column = 0; column < columnCount; column++) {
      const [left, right] = [xs[column] as number, xs[column + 1] as number];
      const [top, bottom] = [ys[row] as number, ys[row + 1] as number];
      const field = row * columnCount + column;
      const isOpenRight = column + 1 < columnCount && !isDivided(rules, false, right, top, bottom);
      const isOpenBelow = row + 1 < rowCount && !isDivided(rules, true, bottom, left, right);
      if (isOpenRight && areas[field] !== areas[field + 1]) join(field, field + 1);
      if (isOpenBelow && areas[field] !== areas[field + columnCount]) join(field, field + columnCount);
    }
  }
  return areas;
}

function isDivided(rules: readonly Rule[], isHorizontal: boolean, at: number, from: number, to: number): boolean {
  let covered = 0;
  for (const rule of rules) {
    if (rule.isHorizontal !== isHorizontal) continue;
    const position = isHorizontal ? (rule.top + rule.bottom) / 2 : (rule.left + rule.right) / 2;
    if (Math.abs(position - at) > near) continue;
    const [start, end] = isHorizontal ? [rule.left, rule.right] : [rule.top, rule.bottom];
    covered += Math.max(0, Math.min(end, to) - Math.max(start, from));
  }
  return covered >= (to - from) * coverShare;
}

/** Returns the table without rows and columns in which no cell begins. */
export function compact(cells: readonly Cell[], box: Box, isRuled: boolean): Table {
  const rows = [...new Set(cells.map(({ row }) => row))].sort((a, b) => a - b);
  const columns = [...new Set(cells.map(({ column }) => column))].sort((a, b) => a - b);
  const countIn = (all: readonly number[], from: number, span: number) =>
    all.filter((one) => one >= from && one < from + span).length;
  const compacted = cells
    .map((cell) => ({
      ...{
        text: cell.text,
        isStrong: cell.isStrong,
        box: cell.box,
        row: rows.indexOf(cell.row),
        column: columns.indexOf(cell.column),
      },
      rowSpan: Math.max(1, countIn(rows, cell.row, cell.rowSpan)),
      columnSpan: Math.max(1, countIn(columns, cell.column, cell.columnSpan)),
    }))
    .sort((a, b) => a.row - b.row || a.column - b.column);
  const { left, top, right, bottom } = box;
  return {
    ...{ left, top, right, bottom, cells: compacted, rowCount: rows.length, columnCount: columns.length },
    headerCount: headerCountOf(compacted, rows.length, isRuled),
  };
}

function indexOf(positions: readonly number[], value: number): number {
  let index = 0;
  while (index < positions.length - 2 && value >= (positions[index + 1] as number)) index++;
  return index;
}

function centerIn(box: Box, area: Box): boolean {
  const x = (box.left + box.right) / 2;
  const y = (box.top + box.bottom) / 2;
  return x >= area.left && x <= area.right && y >= area.top && y <= area.bottom && overlapY(box, area) > 0;
}
