import type { PageContent } from '../pdfium/page.ts';
import { findBorderlessTables } from '../tables/borderless.ts';
import { findRuledTables } from '../tables/ruled.ts';
import { rowText, type Table } from '../tables/table.ts';
import { partsInOrder } from './columns.ts';
import type { Box } from './geometry.ts';
import { type Row, rowsOf, type Segment, type Word, wordsOf } from './words.ts';
import type { Writing } from './writing.ts';

/** A line of text on a page. */
export interface Line extends Box {
  kind: 'line';
  page: number;
  text: string;
  size: number;
  isBold: boolean;
  /** Number of its column on the page: lines of different columns are not beside each other. */
  part: number;
  /** Sides of that column. */
  column: { left: number; right: number };
}

/** A whole heading, paragraph or list item. */
export interface Block extends Box {
  kind: 'block';
  role: 'heading' | 'paragraph' | 'list-item';
  /** Of a heading: 1 to 6, 1 the outermost; otherwise 0. */
  level: number;
  page: number;
  text: string;
}

/** A table on a page. */
export interface TableElement extends Box {
  kind: 'table';
  page: number;
  table: Table;
}

/** What a page is made of, in reading order. */
export type Element = Line | Block | TableElement;

/** Returns the elements of a page by the places of its words, in reading order. Boxes are as the page is displayed. */
export function elementsOf(page: PageContent): Element[] {
  return page.writings.flatMap((writing) => elementsOfWords(wordsOf(writing.glyphs), page, writing));
}

/** Returns the elements that words of a page make by their places. */
export function elementsOfWords(
  words: readonly Word[],
  page: Pick<PageContent, 'number' | 'rules'>,
  { isUpright, toPage }: Pick<Writing, 'isUpright' | 'toPage'> = upright,
): Element[] {
  // Rules are of the page as displayed.
  const rules = isUpright ? page.rules : [];
  const ruled = findRuledTables(rules, words);
  const inTables = new Set(ruled.flatMap((one) => one.words));
  const tables = new Map(ruled.map(({ table, words: own }) => [asSegment(table, own), table]));
  const tableRows = [...tables.keys()].map((segment) => asRow(segment));
  const rows = [...rowsOf(words.filter((word) => !inTables.has(word))), ...tableRows];
  return partsInOrder(rows.sort((one, other) => one.top - other.top)).flatMap((part, index) => {
    const column = {
      left: Math.min(...part.map(({ left }) => left)),
      right: Math.max(...part.map(({ right }) => right)),
    };
    return elementsOfPart(part, rules, tables).map((element): Element => {
      const box = toPage(element);
      if ('table' in element) return { kind: 'table', page: page.number, table: placed(element.table, toPage), ...box };
      const { segments } = element;
      return {
        ...{ kind: 'line', page: page.number, text: rowText(element), part: index, column, ...box },
        size: Math.max(...segments.map(({ size }) => size)),
        isBold: segments.every(({ isBold }) => isBold),
      };
    });
  });
}

/** Returns a table with the places of its cells as the page is displayed. */
function placed(table: Table, toPage: Writing['toPage']): Table {
  return { ...table, cells: table.cells.map((cell) => ({ ...cell, box: toPage(cell.box) })) };
}

const upright = { isUpright: true, toPage: ({ left, top, right, bottom }: Box): Box => ({ left, top, right, bottom }) };

type Placed = Row | (Box & { table: Table });

function elementsOfPart(
  rows: readonly Row[],
  rules: PageContent['rules'],
  tables: ReadonlyMap<Segment | undefined, Table>,
): Placed[] {
  const all: Placed[] = [];
  let open: Row[] = [];
  const flush = () => {
    let at = 0;
    for (const { table, from, to } of findBorderlessTables(open, rules)) {
      all.push(...open.slice(at, from), ...(Array.isArray(table) ? table : [{ ...table, table }]));
      at = to;
    }
    all.push(...open.slice(at));
    open = [];
  };
  for (const row of rows) {
    const table = tables.get(row.segments[0]);
    if (table === undefined) open.push(row);
    else {
      flush();
      all.push({ ...row, table });
    }
  }
  flush();
  return all;
}

/** Returns a table as a segment, which has a place among the rows of text. */
function asSegment({ left, top, right, bottom }: Table, words: readonly Word[]): Segment {
  return { left, top, right, bottom, words: [...words], text: '', size: 0, isBold: false };
}

function asRow(segment: Segment): Row {
  const { left, top, right, bottom } = segment;
  return { left, top, right, bottom, baseline: bottom, segments: [segment] };
}
