import type { TextBuilder } from '../../../parse/blocks.ts';
import { addGrid, type GridCell, type GridRow } from '../../../parse/table/grid.ts';
import { childOf, childrenOf, findAll, type XmlElement } from '../../../parse/xml/read-xml.ts';
import type { Numbering } from './numbering.ts';
import { isOn, outlineLevelOf, type Style, settingOf } from './styles.ts';
import { readWords } from './words.ts';

/** What the paragraphs of a document refer to. */
export interface DocumentParts {
  styles: ReadonlyMap<string, Style>;
  numbering: Numbering;
  /** Texts of footnotes by id, and of endnotes with `endnote:` in front. */
  notes: ReadonlyMap<string, string>;
}

/** Adds the blocks of a document's body. */
export interface Body {
  add(element: XmlElement): void;
  /** Words of the paragraph in the style "Title"; empty without one. */
  title(): string;
  hiddenCount(): number;
}

const indentMax = 8;
const nestedMax = 20;

/** Creates the reader of a body. */
export function createBody(builder: TextBuilder, { styles, numbering, notes }: DocumentParts): Body {
  let title = '';
  let hiddenCount = 0;

  const addParagraph = (paragraph: XmlElement, depth: number) => {
    const properties = childOf(paragraph, 'w:pPr');
    const style = styles.get(settingOf(properties, 'w:pStyle') ?? '');
    const { text, boxes, notes: noteIds, hiddenCount: hidden } = readWords(paragraph);
    hiddenCount += hidden;
    const label = labelOf(properties, style);
    const level = levelOf(properties, style);
    if (style?.isHidden === true) hiddenCount++;
    else if (style?.isContents !== true && text.trim() !== '') addText(text, level, label);
    for (const box of boxes) addAll(childrenOf(box), depth + 1);
    for (const id of noteIds) builder.add('paragraph', notes.get(id) ?? '');
  };
  const addText = (text: string, level: number | undefined, label: { text: string; level: number } | undefined) => {
    const words = text.replaceAll('\t', ' ');
    if (level !== undefined) {
      if (level === 0) title ||= words.trim();
      const number = label === undefined || label.text === '-' ? '' : `${label.text} `;
      builder.addHeading(Math.max(1, level), `${number}${words}`);
    } else if (label !== undefined && label.text !== '') {
      const indent = '  '.repeat(Math.min(label.level, indentMax));
      builder.add('list-item', `${indent}${label.text} ${words.trim()}`);
    } else builder.add('paragraph', words);
  };
  const labelOf = (properties: XmlElement | undefined, style: Style | undefined) => {
    const numbers = childOf(properties, 'w:numPr');
    const id = settingOf(numbers, 'w:numId') ?? style?.numberingId;
    if (id === undefined || id === '0') return undefined;
    const level = Number(settingOf(numbers, 'w:ilvl') ?? style?.numberingLevel ?? 0);
    const text = numbering.next(id, level);
    return text === undefined ? undefined : { text, level };
  };

  const addTable = (table: XmlElement, depth: number) => {
    const rows = rowsOf(table);
    const isBox = rows.every((row) => cellsOf(row).length <= 1);
    if (isBox) {
      // A table of one column frames text.
      for (const row of rows) for (const cell of cellsOf(row)) addAll(childrenOf(cell), depth + 1);
    } else addGrid(builder, readRows(rows, depth));
  };
  const readRows = (rows: readonly XmlElement[], depth: number): GridRow[] => {
    const above: string[] = [];
    return rows.map((row) => {
      const cells: GridCell[] = [];
      let column = Number(settingOf(childOf(row, 'w:trPr'), 'w:gridBefore') ?? 0);
      if (column > 0) cells.push({ text: '', columnSpan: column, rowSpan: 1 });
      for (const cell of cellsOf(row)) {
        const properties = childOf(cell, 'w:tcPr');
        const columnSpan = Math.max(1, Number(settingOf(properties, 'w:gridSpan') ?? 1));
        const merge = childOf(properties, 'w:vMerge');
        const isBelow = merge !== undefined && merge.attributes['w:val'] !== 'restart';
        const text = isBelow ? (above[column] ?? '') : cellText(cell, depth);
        above[column] = text;
        cells.push({ text, columnSpan, rowSpan: 1 });
        column += columnSpan;
      }
      return { cells, isHeader: isOn(childOf(row, 'w:trPr'), 'w:tblHeader') === true };
    });
  };
  /** A table inside of a cell is read row by row, its cells separated by commas. */
  const cellText = (cell: XmlElement, depth: number): string => {
    if (depth > nestedMax) return '';
    const pieces = [...findAll(cell, 'w:p', 'w:tbl')].map((element) => {
      if (element.name === 'w:tbl') {
        const rows = rowsOf(element).map((row) =>
          cellsOf(row)
            .map((inner) => cellText(inner, depth + 1))
            .join(', '),
        );
        return rows.join('; ');
      }
      const label = labelOf(childOf(element, 'w:pPr'), undefined);
      const { text, notes: noteIds, hiddenCount: hidden, boxes } = readWords(element);
      hiddenCount += hidden;
      const boxed = boxes.map((box) => cellText(box, depth + 1));
      const written = label === undefined || label.text === '-' || text.trim() === '' ? text : `${label.text} ${text}`;
      return [written, ...boxed, ...noteIds.map((id) => notes.get(id) ?? '')].join(' ');
    });
    return pieces.filter((piece) => piece.trim() !== '').join('\n');
  };

  const addAll = (elements: readonly XmlElement[], depth: number) => {
    if (depth > nestedMax) return;
    for (const element of elements) {
      if (element.name === 'w:p') addParagraph(element, depth);
      else if (element.name === 'w:tbl') addTable(element, depth);
      else if (element.name !== 'w:tcPr') addAll([...findAll(element, 'w:p', 'w:tbl')], depth + 1);
    }
  };
  return { add: (element) => addAll([element], 0), title: () => title, hiddenCount: () => hiddenCount };
}

function levelOf(properties: XmlElement | undefined, style: Style | undefined): number | undefined {
  const own = outlineLevelOf(properties);
  if (own === 'body') return undefined;
  return own ?? style?.level;
}

const rowsOf = (table: XmlElement) => [...findAll(table, 'w:tr')].filter((row) => !isDeleted(row));
const cellsOf = (row: XmlElement) => [...findAll(row, 'w:tc')];
const isDeleted = (row: XmlElement) => childOf(childOf(row, 'w:trPr'), 'w:del') !== undefined;
