import type { Element } from 'domhandler';
import { renderRow, type TextBuilder } from '../blocks.ts';
import { wordsOf } from './page.ts';
import { elementsOf, isElement } from './tree.ts';
import type { PageView } from './view.ts';

const columnsMax = 200;

/** Reports whether a table holds data, as opposed to a table that only lays out a page. */
export function isDataTable(table: Element): boolean {
  let columnCount = 0;
  let hasHeader = false;
  for (const element of elementsOf(table)) {
    if (element.name === 'table' || /^h[1-6]$/.test(element.name)) return false;
    if (element.name === 'th' || element.name === 'caption') hasHeader = true;
    if (element.name === 'tr') columnCount = Math.max(columnCount, cellsOf(element).length);
  }
  return hasHeader || columnCount > 1;
}

/** Adds the rows of a data table, each cell with its column's header. A cell that spans rows or columns is repeated in each. */
export function addTable(builder: TextBuilder, table: Element, view: PageView): void {
  const header: string[] = [];
  let isInHeader = true;
  let spanning: { text: string; rowsLeft: number }[] = [];
  for (const element of elementsOf(table, (inner) => !view.isSkipped(inner))) {
    if (element.name === 'caption') builder.add('paragraph', wordsOf(element, view));
    if (element.name !== 'tr') continue;
    const { cells, isHeader, below } = readRow(element, spanning, view);
    spanning = below;
    if (isInHeader && isHeader) {
      // In a header of several rows, the upper name precedes the lower one.
      for (const [index, cell] of cells.entries()) {
        const above = header[index] ?? '';
        header[index] = above === '' || above === cell ? cell : `${above} ${cell}`.trim();
      }
    } else {
      isInHeader = false;
      builder.add('table-row', renderRow(header, cells));
    }
  }
  if (isInHeader) builder.add('table-row', renderRow([], header));
}

function readRow(row: Element, above: { text: string; rowsLeft: number }[], view: PageView) {
  const cells: string[] = [];
  const below: { text: string; rowsLeft: number }[] = [];
  const carry = () => {
    for (let span = above[cells.length]; span !== undefined && span.rowsLeft > 0; span = above[cells.length]) {
      below[cells.length] = { text: span.text, rowsLeft: span.rowsLeft - 1 };
      cells.push(span.text);
    }
  };
  const found = cellsOf(row);
  for (const cell of found) {
    carry();
    const text = wordsOf(cell, view);
    const rows = spanOf(cell.attribs.rowspan);
    for (let count = spanOf(cell.attribs.colspan); count > 0 && cells.length < columnsMax; count--) {
      below[cells.length] = { text, rowsLeft: rows - 1 };
      cells.push(text);
    }
  }
  carry();
  const isHead = row.parent !== null && isElement(row.parent) && row.parent.name === 'thead';
  return { cells, below, isHeader: isHead || (found.length > 0 && found.every(({ name }) => name === 'th')) };
}

function cellsOf(row: Element): Element[] {
  return row.children.filter((node) => isElement(node) && (node.name === 'td' || node.name === 'th')) as Element[];
}

function spanOf(value: string | undefined): number {
  const count = Number.parseInt(value ?? '1', 10);
  return Number.isFinite(count) ? Math.min(Math.max(count, 1), columnsMax) : 1;
}
