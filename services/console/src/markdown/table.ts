import { type Inline, parseLine } from './inline.ts';
import { cut, isBlank, type Line, leadingBlanks, lineAt, placeOf } from './lines.ts';

/** A table's cells. A row has as many as the header. */
export interface TableContent {
  kind: 'table';
  header: Inline[][];
  rows: Inline[][][];
}

type Table = TableContent & { start: number; end: number };

const tableRulePattern = /^ {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;
const namedRowPattern = /^\|.*\|[ \t]*$/;
const namedCellPattern = /^([^:：|]{1,80})(?:: |：)/;

/** The table that begins at a line, and the count of its lines. */
export function parseTable(lines: readonly Line[], index: number, open: boolean): [Table, number] {
  let end = index + 2;
  while (end < lines.length && !isBlank(lines[end]) && lineAt(lines, end).text.includes('|')) end++;
  const own = lines.slice(index, end);
  const cells = (line: Line) => splitCells(line).map((cell) => parseLine(cell, open));
  const header = cells(lineAt(own, 0));
  const rows = own.slice(2).map((line) => {
    const row = cells(line).slice(0, header.length);
    return row.concat(Array.from({ length: header.length - row.length }, () => []));
  });
  return [{ kind: 'table', header, rows, ...placeOf(own) }, own.length];
}

function splitCells(line: Line): Line[] {
  const outer = /^[ \t]*\|?/.exec(line.text)?.[0].length ?? 0;
  const cells: Line[] = [];
  let start = outer;
  const push = (end: number) => {
    const cell = cut({ text: line.text.slice(0, end), start: line.start }, start);
    const blanks = leadingBlanks(cell.text);
    cells.push({ text: cell.text.trim(), start: cell.start + blanks });
  };
  for (let index = outer; index < line.text.length; index++) {
    if (line.text[index] !== '|' || line.text[index - 1] === '\\') continue;
    push(index);
    start = index + 1;
  }
  if (line.text.slice(start).trim() !== '') push(line.text.length);
  return cells;
}

/** Whether a table begins at a line: its header, and the rule below. */
export function startsTable(lines: readonly Line[], index: number): boolean {
  const rule = lines[index + 1];
  if (rule === undefined || !lineAt(lines, index).text.includes('|') || !rule.text.includes('|')) return false;
  return tableRulePattern.test(rule.text);
}

/**
 * The rows of an indexed table that begin at a line: each cell has its column's name before it, and empty cells are left
 * out, as in `| Bought: lamps | Window: 15 days |`. `undefined` if the lines are no such rows.
 */
export function parseNamedRows(lines: readonly Line[], index: number, open: boolean): [Table, number] | undefined {
  let end = index;
  while (end < lines.length && namedRowPattern.test(lineAt(lines, end).text)) end++;
  const own = lines.slice(index, end);
  const rows = own.map((line) => splitCells(line).map(splitName));
  const columns = columnsOf(rows);
  if (columns === undefined) return undefined;
  return [
    {
      kind: 'table',
      header: columns.map((name) => (name === undefined ? [] : parseLine(name, open))),
      rows: rows.map((row) =>
        fillRow(columns, row).map((value) => (value === undefined ? [] : parseLine(value, open))),
      ),
      ...placeOf(own),
    },
    own.length,
  ];
}

interface NamedCell {
  /** Name of the column; absent if it has none. */
  name?: Line;
  value: Line;
}

function splitName(cell: Line): NamedCell {
  const found = namedCellPattern.exec(cell.text);
  if (found === null) return { value: cell };
  return { name: { text: found[1] ?? '', start: cell.start }, value: cut(cell, found[0].length) };
}

/**
 * Returns the columns of rows, from the longest row: a name, or `undefined` for a column without. Returns `undefined` if a row has
 * a column that this one lacks, or if fewer than two columns have names: then the lines only look like rows.
 */
function columnsOf(rows: readonly NamedCell[][]): (Line | undefined)[] | undefined {
  const fullest = rows.reduce<NamedCell[]>((most, row) => (row.length > most.length ? row : most), []);
  const names = new Set(fullest.flatMap(({ name }) => (name === undefined ? [] : [name.text])));
  if (names.size < 2) return undefined;
  const known = rows.flat().every(({ name }) => name === undefined || names.has(name.text));
  return known ? fullest.map(({ name }) => name) : undefined;
}

/** The values of a row under its columns; one without a name takes the next column that is free. */
function fillRow(columns: readonly (Line | undefined)[], row: readonly NamedCell[]): (Line | undefined)[] {
  const values: (Line | undefined)[] = columns.map(() => undefined);
  let next = 0;
  for (const { name, value } of row) {
    const named = name === undefined ? -1 : columns.findIndex((column) => column?.text === name.text);
    const column = named >= 0 ? named : Math.min(next, columns.length - 1);
    values[column] = value;
    next = column + 1;
  }
  return values;
}
