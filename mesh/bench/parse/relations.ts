// Tables are compared by their adjacency relations, as in the ICDAR 2013 table competition (Göbel et al., "ICDAR 2013 Table Competition"): pairs of
// a cell and the next cell with text to its right or below it, without white space.

/** A cell of a table. */
export interface TableCell {
  row: number;
  column: number;
  rowSpan: number;
  columnSpan: number;
  text: string;
}

/** Returns the relations of a table. */
export function relationsOf(cells: readonly TableCell[]): string[] {
  const filled = cells.filter(({ text }) => normal(text) !== '');
  const at = new Map<string, TableCell>();
  for (const cell of filled) {
    for (let row = cell.row; row < cell.row + cell.rowSpan; row++) {
      for (let column = cell.column; column < cell.column + cell.columnSpan; column++) at.set(`${row},${column}`, cell);
    }
  }
  const rowCount = Math.max(0, ...filled.map(({ row, rowSpan }) => row + rowSpan));
  const columnCount = Math.max(0, ...filled.map(({ column, columnSpan }) => column + columnSpan));
  return filled.flatMap((cell) => {
    const right = new Set<TableCell>();
    for (let row = cell.row; row < cell.row + cell.rowSpan; row++) {
      const next = firstFrom(cell.column + cell.columnSpan, columnCount, (column) => at.get(`${row},${column}`));
      if (next !== undefined) right.add(next);
    }
    const below = new Set<TableCell>();
    for (let column = cell.column; column < cell.column + cell.columnSpan; column++) {
      const next = firstFrom(cell.row + cell.rowSpan, rowCount, (row) => at.get(`${row},${column}`));
      if (next !== undefined) below.add(next);
    }
    const named = (others: ReadonlySet<TableCell>, mark: string) =>
      [...others].map(({ text }) => `${normal(cell.text)}${mark}${normal(text)}`);
    return [...named(right, '→'), ...named(below, '↓')];
  });
}

/** How many relations were found, how many of them are right, and how many there are. */
export interface RelationCounts {
  found: number;
  right: number;
  true: number;
}

/** Compares the relations of a document, each as often as it occurs. */
export function compareRelations(found: readonly string[], truth: readonly string[]): RelationCounts {
  const left = new Map<string, number>();
  for (const one of truth) left.set(one, (left.get(one) ?? 0) + 1);
  let right = 0;
  for (const one of found) {
    const count = left.get(one) ?? 0;
    if (count === 0) continue;
    left.set(one, count - 1);
    right++;
  }
  return { found: found.length, right, true: truth.length };
}

/** Reads the regions of tables in a file of the competition (`…-str.xml`), each as its cells. */
export function readTruth(xml: string): TableCell[][] {
  return [...xml.matchAll(/<region[^>]*>([\s\S]*?)<\/region>/g)].map(([, region = '']) =>
    [...region.matchAll(/<cell ([^>]*)>([\s\S]*?)<\/cell>/g)].map(([, attributes = '', body = '']) => {
      const value = (name: string) => /\d+/.exec(new RegExp(`${name}=['"](\\d+)`).exec(attributes)?.[1] ?? '')?.[0];
      const row = Number(value('start-row') ?? 0);
      const column = Number(value('start-col') ?? 0);
      return {
        ...{ row, rowSpan: Number(value('end-row') ?? row) - row + 1 },
        ...{ column, columnSpan: Number(value('end-col') ?? column) - column + 1 },
        text: decodeXml(/<content>([\s\S]*?)<\/content>/.exec(body)?.[1] ?? ''),
      };
    }),
  );
}

function decodeXml(text: string): string {
  const entities: Record<string, string> = { amp: '&', lt: '<', gt: '>', apos: "'", quot: '"' };
  return text.replace(/&(amp|lt|gt|apos|quot);/g, (_, name: string) => entities[name] ?? '');
}

/** Returns text without white space, with one form of each dash and quotation mark. */
export function normal(text: string): string {
  return text
    .normalize('NFKC')
    .replace(/\s+/g, '')
    .replace(/[\u2010-\u2015\u2212]/g, '-')
    .replace(/[\u2018\u2019]/g, "'")
    .replace(/[\u201c\u201d]/g, '"');
}

function firstFrom<T>(from: number, to: number, valueAt: (index: number) => T | undefined): T | undefined {
  for (let index = from; index < to; index++) {
    const value = valueAt(index);
    if (value !== undefined) return value;
  }
  return undefined;
}
