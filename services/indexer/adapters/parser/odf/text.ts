import type { TextBuilder } from '../../../parse/blocks.ts';
import { addGrid, type GridCell, type GridRow } from '../../../parse/table/grid.ts';
import { childOf, childrenOf, findAll, type XmlElement } from '../../../parse/xml/read-xml.ts';
import { readOdfWords } from './words.ts';

/** Adds the blocks of texts and slides. */
export interface OdfReader {
  addText(root: XmlElement): void;
  addSlides(presentation: XmlElement): void;
  hiddenCount(): number;
}

const depthMax = 100;
const indentMax = 8;
/** Of what a document holds beside its text. */
const skipped = new Set([
  'text:tracked-changes',
  'text:table-of-content',
  'text:alphabetical-index',
  'text:sequence-decls',
  'office:forms',
  'table:table-columns',
]);
const isShape = /^drawing:(?:frame|custom-shape|text-box|rect|g|a|image)$/;

/** Creates a reader. `roots` hold the styles. */
export function createOdfReader(builder: TextBuilder, roots: readonly (XmlElement | undefined)[]): OdfReader {
  const styles = stylesOf(roots);
  let hiddenCount = 0;

  const addAll = (elements: readonly XmlElement[], depth: number) => {
    if (depth > depthMax) return;
    for (const element of elements) add(element, depth);
  };
  const add = (element: XmlElement, depth: number): void => {
    const { name, attributes } = element;
    if (skipped.has(name)) return;
    if (name === 'text:section' && attributes['text:display'] === 'none') hiddenCount++;
    else if (name === 'text:p' || name === 'text:h') addParagraph(element, depth);
    else if (name === 'text:list') addList(element, depth, 0);
    else if (name === 'table:table') addTable(element, depth);
    else addAll(childrenOf(element), depth + 1);
  };
  const addParagraph = (paragraph: XmlElement, depth: number) => {
    const { text, notes, shapes } = readOdfWords(paragraph, isHidden);
    if (paragraph.name === 'text:h') {
      builder.addHeading(Math.min(Number(paragraph.attributes['text:outline-level'] ?? 1), 6), text);
    } else if (isTitle(paragraph)) builder.addHeading(1, text);
    else builder.add('paragraph', text);
    addAll(shapes, depth + 1);
    for (const note of notes) builder.add('paragraph', note);
  };
  const isHidden = (style: string | undefined) => {
    const hidden = childOf(styles.get(style ?? ''), 'style:text-properties')?.attributes['text:display'] === 'none';
    if (hidden) hiddenCount++;
    return hidden;
  };
  const isTitle = ({ attributes }: XmlElement) => {
    const style = attributes['text:style-name'] ?? '';
    return style === 'Title' || styles.get(style)?.attributes['style:parent-style-name'] === 'Title';
  };

  const addList = (list: XmlElement, depth: number, level: number) => {
    if (depth > depthMax) return;
    const style = styles.get(list.attributes['text:style-name'] ?? '');
    const isNumbered = style !== undefined && childrenOf(style)[0]?.name === 'text:list-level-style-number';
    const indent = '  '.repeat(Math.min(level, indentMax));
    const entries = childrenOf(list).filter(({ name }) => name === 'text:list-item' || name === 'text:list-header');
    for (const [index, entry] of entries.entries()) {
      addEntry(entry, `${indent}${isNumbered ? `${index + 1}.` : '-'} `, depth, level);
    }
  };
  const addEntry = (entry: XmlElement, first: string, depth: number, level: number) => {
    let marker = first;
    for (const child of childrenOf(entry)) {
      if (child.name === 'text:list') addList(child, depth + 1, level + 1);
      else if (child.name !== 'text:p') add(child, depth + 1);
      else {
        const { text, shapes } = readOdfWords(child, isHidden);
        if (text.trim() !== '') {
          builder.add('list-item', `${marker}${text.trim()}`);
          // Further paragraphs of an entry have no marker.
          marker = ' '.repeat(marker.length);
        }
        addAll(shapes, depth + 1);
      }
    }
  };

  const addTable = (table: XmlElement, depth: number) => {
    const rows = [...rowsOf(table)];
    if (rows.every(({ row }) => childrenOf(row).filter(isCell).length <= 1)) {
      for (const { row } of rows) addAll(childrenOf(row), depth + 1);
    } else
      addGrid(
        builder,
        rows.map(({ row, isHeader }) => ({ cells: readCells(row, depth), isHeader })) satisfies GridRow[],
      );
  };
  const readCells = (row: XmlElement, depth: number): GridCell[] =>
    childrenOf(row)
      .filter(isCell)
      .flatMap((cell) => {
        // The place of a cell that another one covers.
        if (cell.name === 'table:covered-table-cell') return [];
        const { attributes } = cell;
        return [
          {
            text: cellText(cell, depth),
            columnSpan: Number(attributes['table:number-columns-spanned'] ?? 1),
            rowSpan: Number(attributes['table:number-rows-spanned'] ?? 1),
          },
        ];
      });
  const cellText = (cell: XmlElement, depth: number): string => {
    if (depth > depthMax) return '';
    const pieces = [...findAll(cell, 'text:p', 'text:h', 'table:table')].map((element) => {
      if (element.name !== 'table:table') {
        const { text, shapes } = readOdfWords(element, isHidden);
        return [text, ...shapes.map((shape) => cellText(shape, depth + 1))].join(' ');
      }
      const rows = [...rowsOf(element)].map(({ row }) =>
        readCells(row, depth + 1)
          .map(({ text }) => text)
          .join(', '),
      );
      return rows.join('; ');
    });
    return pieces.filter((piece) => piece.trim() !== '').join('\n');
  };

  const addSlide = (page: XmlElement, number: number) => {
    const style = styles.get(page.attributes['drawing:style-name'] ?? '');
    if (childOf(style, 'style:drawing-page-properties')?.attributes['presentation:visibility'] === 'hidden') {
      hiddenCount++;
      return;
    }
    const shapes = childrenOf(page).filter(({ name }) => isShape.test(name));
    const title = shapes.find(({ attributes }) => attributes['presentation:class'] === 'title');
    builder.addHeading(2, (title === undefined ? '' : cellText(title, 0)) || `${number}`);
    for (const shape of shapes) if (shape !== title) addAll(childrenOf(shape), 0);
    const notes = childOf(page, 'presentation:notes');
    for (const shape of notes === undefined ? [] : childrenOf(notes)) {
      if (shape.attributes['presentation:class'] === 'notes') addAll(childrenOf(shape), 0);
    }
  };

  return {
    addText: (root) => addAll(childrenOf(root), 0),
    addSlides(presentation) {
      for (const [index, page] of [...findAll(presentation, 'drawing:page')].entries()) addSlide(page, index + 1);
    },
    hiddenCount: () => hiddenCount,
  };
}

function stylesOf(roots: readonly (XmlElement | undefined)[]): Map<string, XmlElement> {
  const styles = new Map<string, XmlElement>();
  for (const root of roots) {
    if (root === undefined) continue;
    for (const style of findAll(root, 'style:style', 'text:list-style')) {
      const name = style.attributes['style:name'];
      if (name !== undefined && !styles.has(name)) styles.set(name, style);
    }
  }
  return styles;
}

/** Yields the rows of a table, without those of tables inside. */
function* rowsOf(table: XmlElement): Iterable<{ row: XmlElement; isHeader: boolean }> {
  for (const element of childrenOf(table)) {
    if (element.name === 'table:table-row') yield { row: element, isHeader: false };
    else if (element.name === 'table:table-header-rows') {
      for (const row of childrenOf(element)) yield { row, isHeader: true };
    } else if (element.name === 'table:table-rows' || element.name === 'table:table-row-group') yield* rowsOf(element);
  }
}

const isCell = ({ name }: XmlElement) => name === 'table:table-cell' || name === 'table:covered-table-cell';
