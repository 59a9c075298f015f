import type { TextBuilder } from '../../../parse/blocks.ts';
import { addGrid } from '../../../parse/table/grid.ts';
import { childOf, findAll, type XmlElement } from '../../../parse/xml/read-xml.ts';
import { drawnRows, drawnWords } from '../../../parse/zip/drawing.ts';

/** Placeholders that every slide repeats. */
const repeated = new Set(['dt', 'ftr', 'sldNum', 'hdr']);
const titles = new Set(['title', 'ctrTitle']);
const indentMax = 8;

/** Adds a slide: its title as a heading, then its shapes in their order, then what the speaker says. */
export function addSlide(builder: TextBuilder, slide: XmlElement, notes: XmlElement | undefined, number: number): void {
  const shapes = [...findAll(slide, 'p:sp', 'p:graphicFrame')].filter((shape) => !repeated.has(placeholderOf(shape)));
  const title = shapes.find((shape) => titles.has(placeholderOf(shape)));
  const words = title === undefined ? '' : [...findAll(title, 'a:p')].map(drawnWords).join(' ').trim();
  builder.addHeading(2, words || `${number}`);
  for (const shape of shapes) if (shape !== title) addShape(builder, shape);
  if (notes === undefined) return;
  for (const shape of findAll(notes, 'p:sp')) {
    // The other shapes of a page of notes are the picture of the slide and its number.
    if (placeholderOf(shape) === 'body') addShape(builder, shape);
  }
}

function addShape(builder: TextBuilder, shape: XmlElement): void {
  const [table] = findAll(shape, 'a:tbl');
  if (table !== undefined) {
    addGrid(builder, drawnRows(table));
    return;
  }
  const counts: number[] = [];
  for (const paragraph of findAll(shape, 'a:p')) addParagraph(builder, paragraph, placeholderOf(shape), counts);
}

function addParagraph(builder: TextBuilder, paragraph: XmlElement, placeholder: string, counts: number[]): void {
  const text = drawnWords(paragraph).trim();
  if (text === '') return;
  const properties = childOf(paragraph, 'a:pPr');
  const level = Number(properties?.attributes.lvl ?? 0);
  counts.length = Math.min(counts.length, level + 1);
  const isNumbered = childOf(properties, 'a:buAutoNum') !== undefined;
  const isBullet =
    childOf(properties, 'a:buChar') !== undefined ||
    // Text in the body of a layout has bullets unless it says otherwise.
    (placeholder === 'obj' && childOf(properties, 'a:buNone') === undefined);
  const indent = '  '.repeat(Math.min(level, indentMax));
  if (isNumbered) {
    counts[level] = (counts[level] ?? Number(childOf(properties, 'a:buAutoNum')?.attributes.startAt ?? 1) - 1) + 1;
    builder.add('list-item', `${indent}${counts[level]}. ${text}`);
  } else if (isBullet) builder.add('list-item', `${indent}- ${text}`);
  else builder.add('paragraph', text);
}

/** Returns what a shape holds of its layout, such as "title"; "obj" for the body without a kind; empty if it is no placeholder. */
function placeholderOf(shape: XmlElement): string {
  const [placeholder] = findAll(shape, 'p:ph');
  return placeholder === undefined ? '' : (placeholder.attributes.type ?? 'obj');
}
