import { renderRow, type TextBuilder } from '../blocks.ts';
import { cleanLine } from '../clean.ts';
import { isHeader } from './columns.ts';

/** A cell of a table in a document. */
export interface GridCell {
  text: string;
  columnSpan: number;
  /** Rows that it covers, with its own. */
  rowSpan: number;
}

/** A row of a table in a document. */
export interface GridRow {
  cells: readonly GridCell[];
  /** Whether the document says that the row names the columns. */
  isHeader: boolean;
}

const columnsMax = 200;

/**
 * Adds a table row by row, each cell with the name of its column; a cell that spans rows or columns is repeated in each, except that the
 * label at the beginning of a row is no value of the columns that it covers. A first row over the whole width is the caption. Without a marked header, the first row is one if it looks like names.
 */
export function addGrid(builder: TextBuilder, rows: readonly GridRow[]): void {
  const matrix = expand(rows);
  const width = Math.max(0, ...matrix.map(({ texts }) => texts.length));
  let start = 0;
  for (const row of matrix) {
    if (!row.isOneCell || width < 2) break;
    builder.add('paragraph', row.texts[0] ?? '');
    start++;
  }
  const body = matrix.slice(start);
  const marked = body.findIndex((row) => !row.isHeader);
  const first = body[0]?.texts.map(cleanLine) ?? [];
  const isNamed = body.length > 1 && width > 1 && first.every((text) => text !== '') && isHeader(first);
  const headerCount = marked === -1 ? body.length : marked > 0 ? marked : isNamed ? 1 : 0;
  const header = headerOf(body.slice(0, headerCount).map(({ texts }) => texts));
  if (headerCount === body.length) builder.add('table-row', renderRow([], header));
  for (const { texts, isOneCell, labelSpan: label } of body.slice(headerCount)) {
    builder.add(
      'table-row',
      isOneCell ? renderRow([], texts.slice(0, 1)) : renderRow(header, withoutRepeats(texts, label)),
    );
  }
}

function withoutRepeats(texts: readonly string[], labelSpan: number): string[] {
  return texts.map((text, index) => (index > 0 && index < labelSpan ? '' : text));
}

/** In a header of several rows, the upper name precedes the lower one. */
export function headerOf(rows: readonly (readonly string[])[]): string[] {
  const header: string[] = [];
  for (const row of rows) {
    for (const [index, text] of row.entries()) {
      const above = header[index] ?? '';
      header[index] = above === '' || above === text ? text : `${above} ${text}`.trim();
    }
  }
  return header;
}

/** A row with a text in each column. */
interface FilledRow {
  texts: string[];
  isHeader: boolean;
  /** Whether one cell covers the whole row. */
  isOneCell: boolean;
  /** Columns that the first cell covers. */
  labelSpan: number;
}

function expand(rows: readonly GridRow[]): FilledRow[] {
  let above: { text: string; rowsLeft: number }[] = [];
  return rows.map(({ cells, isHeader: isMarked }) => {
    const texts: string[] = [];
    const below: { text: string; rowsLeft: number }[] = [];
    const carry = () => {
      for (let span = above[texts.length]; span !== undefined && span.rowsLeft > 0; span = above[texts.length]) {
        below[texts.length] = { text: span.text, rowsLeft: span.rowsLeft - 1 };
        texts.push(span.text);
      }
    };
    for (const { text, columnSpan, rowSpan } of cells) {
      carry();
      for (let count = columnSpan; count > 0 && texts.length < columnsMax; count--) {
        below[texts.length] = { text, rowsLeft: rowSpan - 1 };
        texts.push(text);
      }
    }
    carry();
    above = below;
    const labelSpan = cells[0]?.columnSpan ?? 1;
    const isOneCell = cells.length === 1 && texts.length > 1 && labelSpan === texts.length;
    return { texts, isHeader: isMarked, isOneCell, labelSpan };
  });
}
