import { createTextBuilder, type PageRegion, renderRow, type TextBuilder } from '../../../../parse/blocks.ts';
import { hullOf } from '../layout/geometry.ts';
import type { Cell } from '../tables/table.ts';
import type { JoinedTable } from './join-tables.ts';
import { withMark } from './lists.ts';
import type { Piece } from './paragraphs.ts';

/** Returns the text and blocks of a document. */
export function renderDocument(parts: readonly (Piece | JoinedTable)[]): ReturnType<TextBuilder['finish']> {
  const builder = createTextBuilder();
  for (const part of parts) {
    if (part.kind === 'table') addTable(builder, part);
    else if (part.role === 'heading') builder.addHeading(part.level, part.text, regionsOf(part.places));
    else if (part.role === 'list-item') builder.add('list-item', withMark(part.text), regionsOf(part.places));
    else builder.add('paragraph', part.text, regionsOf(part.places));
  }
  return builder.finish();
}

/** Adds the rows, each cell with the names of its columns. */
function addTable(builder: TextBuilder, { table, pages, page: firstPage }: JoinedTable): void {
  const { rowCount, columnCount, headerCount } = table;
  const grid = gridOf(table.cells, rowCount, columnCount);
  const header = headerOf(grid.slice(0, headerCount), columnCount);
  const body = grid.slice(headerCount);
  const isNamed = (column: number) => body.some((row) => row[column]?.text !== undefined);
  const isLost = header.some((name, column) => name !== '' && !isNamed(column));
  const add = (names: readonly string[], cells: readonly string[], row: number) => {
    const own = table.cells.filter((cell) => cell.row === row).map(({ box }) => box);
    builder.add('table-row', renderRow(names, cells), [{ page: pages[row] ?? firstPage, ...hullOf(own) }]);
  };
  // A header whose words no row repeats is a row of its own.
  if (body.length === 0 || isLost) add([], header, 0);
  for (const [index, row] of body.entries()) {
    const at = headerCount + index;
    const own = row.map((cell, column) => (cell !== undefined && beginsIn(row, column) ? cell.text : ''));
    add(header, own, at);
  }
}

/** Returns for each field of the table the cell that covers it. */
function gridOf(cells: readonly Cell[], rowCount: number, columnCount: number): (Cell | undefined)[][] {
  const grid = Array.from({ length: rowCount }, () => new Array<Cell | undefined>(columnCount).fill(undefined));
  for (const cell of cells) {
    for (let row = cell.row; row < Math.min(rowCount, cell.row + cell.rowSpan); row++) {
      for (let column = cell.column; column < Math.min(columnCount, cell.column + cell.columnSpan); column++) {
        const fields = grid[row];
        if (fields !== undefined) fields[column] ??= cell;
      }
    }
  }
  return grid;
}

/** A cell over several rows is repeated in each; one over several columns is written once. */
function beginsIn(row: readonly (Cell | undefined)[], column: number): boolean {
  return column === 0 || row[column - 1] !== row[column];
}

/** Returns the name of each column: the words above it, from top to bottom, each once. */
function headerOf(rows: readonly (readonly (Cell | undefined)[])[], columnCount: number): string[] {
  return Array.from({ length: columnCount }, (_, column) => {
    const above = new Set(rows.flatMap((row) => (row[column] === undefined ? [] : [row[column]])));
    return [...above].map(({ text }) => text).join(' ');
  });
}

function regionsOf(places: readonly PageRegion[]): PageRegion[] {
  return places.map(({ page, left, top, right, bottom }) => ({ page, left, top, right, bottom }));
}
