import type { GridCell, GridRow } from '../table/grid.ts';
import { childOf, findAll, type XmlElement } from '../xml/read-xml.ts';

// DrawingML, which slides are made of (prefix `a`).

/** Returns the words of a paragraph. */
export function drawnWords(paragraph: XmlElement): string {
  let text = '';
  for (const run of findAll(paragraph, 'a:t', 'a:br')) {
    text += run.name === 'a:br' ? '\n' : run.children.filter((child) => typeof child === 'string').join('');
  }
  return text;
}

/** Returns the rows of a table. */
export function drawnRows(table: XmlElement): GridRow[] {
  const hasHeader = isOn(childOf(table, 'a:tblPr')?.attributes.firstRow);
  return [...findAll(table, 'a:tr')].map((row, index) => ({
    isHeader: hasHeader && index === 0,
    cells: [...findAll(row, 'a:tc')].flatMap((cell) => toCell(cell)),
  }));
}

/** Cells below or beside a merged one are in the file too, and empty. */
function toCell(cell: XmlElement): GridCell[] {
  const { hMerge, vMerge, gridSpan, rowSpan } = cell.attributes;
  if (isOn(hMerge) || isOn(vMerge)) return [];
  const text = [...findAll(cell, 'a:p')].map(drawnWords).join('\n');
  return [{ text, columnSpan: Number(gridSpan ?? 1), rowSpan: Number(rowSpan ?? 1) }];
}

const isOn = (value: string | undefined) => value === '1' || value === 'true';
