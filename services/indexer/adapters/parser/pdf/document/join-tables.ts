import type { TableElement } from '../layout/elements.ts';
import type { Cell, Table } from '../tables/table.ts';
import type { Part } from './paragraphs.ts';

/** A table of the document, which may go over pages. */
export interface JoinedTable extends TableElement {
  /** Page of each row. */
  pages: number[];
  /** Its places, one for each page. */
  places: Pick<TableElement, 'page' | 'left' | 'top' | 'right' | 'bottom'>[];
}

/** Share of the width by which the sides of a table may differ on two pages. */
const sidesShare = 0.06;

/** Joins a table with its continuation at the top of the next page; a header that is repeated there is left out. */
export function joinTables(parts: readonly Part[]): (Exclude<Part, TableElement> | JoinedTable)[] {
  const joined: (Exclude<Part, TableElement> | JoinedTable)[] = [];
  for (const part of parts) {
    const last = joined.at(-1);
    if (part.kind !== 'table') joined.push(part);
    else if (last?.kind === 'table' && isContinued(last, part)) append(last, part);
    else joined.push({ ...part, pages: part.table.cells.length === 0 ? [] : pagesOf(part), places: [placeOf(part)] });
  }
  return joined;
}

function isContinued(one: JoinedTable, other: TableElement): boolean {
  const last = one.places.at(-1);
  if (last === undefined || other.page !== last.page + 1) return false;
  const tolerance = (last.right - last.left) * sidesShare + 4;
  const isSameWidth = Math.abs(last.left - other.left) <= tolerance && Math.abs(last.right - other.right) <= tolerance;
  return one.table.columnCount === other.table.columnCount && isSameWidth;
}

function append(one: JoinedTable, { table, ...other }: TableElement): void {
  const repeated = repeatedHeader(one.table, table);
  const offset = one.table.rowCount - repeated;
  const added: Cell[] = table.cells
    .filter(({ row }) => row >= repeated)
    .map((cell) => ({ ...cell, row: cell.row + offset }));
  one.table = { ...one.table, rowCount: offset + table.rowCount, cells: [...one.table.cells, ...added] };
  one.pages.push(...new Array<number>(table.rowCount - repeated).fill(other.page));
  one.places.push(placeOf(other));
}

/** Returns how many rows at the top of a continuation are those at the top of the table. */
function repeatedHeader(one: Table, other: Table): number {
  const textOf = ({ cells }: Table, row: number) =>
    cells
      .filter((cell) => cell.row === row)
      .map(({ column, text }) => `${column}:${text.replace(/\s+/g, '')}`)
      .join('|');
  const rowsMax = Math.max(1, one.headerCount);
  let count = 0;
  while (count < rowsMax && count < other.rowCount && textOf(one, count) === textOf(other, count)) count++;
  return count;
}

function pagesOf({ table, page }: TableElement): number[] {
  return new Array<number>(table.rowCount).fill(page);
}

function placeOf({ page, left, top, right, bottom }: Omit<TableElement, 'table'>): JoinedTable['places'][number] {
  return { page, left, top, right, bottom };
}
