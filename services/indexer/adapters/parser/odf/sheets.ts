import {
  noCounts,
  type Sheet,
  type SheetCounts,
  type SheetRow,
  sheetColumnsMax,
  sheetRowsMax,
} from '../../../parse/table/sheet.ts';
import { childOf, childrenOf, findAll, textOf, type XmlElement } from '../../../parse/xml/read-xml.ts';

/** Returns the sheets that a reader sees. Values are as they are shown, because the file has them as text. */
export function readSheets(spreadsheet: XmlElement, content: XmlElement): { sheets: Sheet[]; counts: SheetCounts } {
  const counts = { ...noCounts };
  const hiddenStyles = new Set<string>();
  for (const style of findAll(content, 'style:style')) {
    const isHidden = childOf(style, 'style:table-properties')?.attributes['table:display'] === 'false';
    if (isHidden) hiddenStyles.add(style.attributes['style:name'] ?? '');
  }
  const sheets: Sheet[] = [];
  const budget = { rows: sheetRowsMax };
  for (const table of findAll(spreadsheet, 'table:table')) {
    if (hiddenStyles.has(table.attributes['table:style-name'] ?? '')) counts.hiddenSheets++;
    else sheets.push({ name: table.attributes['table:name'] ?? '', rows: readRows(table, budget, counts) });
  }
  return { sheets, counts };
}

function readRows(table: XmlElement, budget: { rows: number }, counts: SheetCounts): SheetRow[] {
  const hidden = hiddenColumnsOf(table);
  counts.hiddenColumns += hidden.size;
  const rows: SheetRow[] = [];
  let number = 0;
  for (const row of findAll(table, 'table:table-row')) {
    const repeated = countOf(row, 'table:number-rows-repeated');
    const cells = readCells(row, hidden, counts);
    const isFilled = cells.some(({ text }) => text !== '');
    if (isHidden(row)) counts.hiddenRows += isFilled ? repeated : 0;
    else {
      // Millions of empty rows are written as one; one of them separates tables.
      const shown = isFilled ? repeated : 1;
      for (let index = 0; index < shown && budget.rows > 0; index++, budget.rows--)
        rows.push({ number: number + index + 1, cells });
      if (budget.rows <= 0) counts.cutOffRows += repeated;
    }
    number += repeated;
  }
  return rows;
}

function readCells(row: XmlElement, hidden: ReadonlySet<number>, counts: SheetCounts): SheetRow['cells'] {
  const cells: SheetRow['cells'][number][] = [];
  let column = 0;
  for (const cell of childrenOf(row)) {
    const repeated = countOf(cell, 'table:number-columns-repeated');
    if (cell.name === 'table:table-cell') {
      const text = [...findAll(cell, 'text:p')].map(textOf).join('\n').trim();
      if (text === '' && cell.attributes['table:formula'] !== undefined) counts.missingValues++;
      const columnSpan = countOf(cell, 'table:number-columns-spanned');
      const rowSpan = countOf(cell, 'table:number-rows-spanned');
      for (let index = 0; index < repeated && cells.length < sheetColumnsMax; index++) {
        if (!hidden.has(column + index)) cells.push({ text, columnSpan, rowSpan });
      }
    }
    column += repeated;
  }
  return cells;
}

function hiddenColumnsOf(table: XmlElement): ReadonlySet<number> {
  const hidden = new Set<number>();
  let column = 0;
  for (const element of findAll(table, 'table:table-column')) {
    const repeated = countOf(element, 'table:number-columns-repeated');
    for (let index = 0; index < repeated && isHidden(element) && hidden.size < sheetColumnsMax; index++)
      hidden.add(column + index);
    column += repeated;
  }
  return hidden;
}

const isHidden = ({ attributes }: XmlElement) => ['collapse', 'filter'].includes(attributes['table:visibility'] ?? '');
const countOf = ({ attributes }: XmlElement, name: string) => Math.max(1, Number(attributes[name] ?? 1) || 1);
