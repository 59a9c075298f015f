import { cleanText } from './clean.ts';

/** The kind of a block. A table row repeats the header of each cell, so it can be understood alone. */
export type BlockKind = 'heading' | 'paragraph' | 'list-item' | 'table-row' | 'code';

/** A rectangle on a page. All zero but the page: somewhere on it. Points (1/72 inch) from the upper left corner of the page as displayed. */
export interface PageRegion {
  /** Page or slide, from 1. */
  page: number;
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** A piece of a document's text as a half-open range `[start, end)` of UTF-16 code units, without outer white space. */
export interface Block {
  kind: BlockKind;
  start: number;
  end: number;
  /** Of a heading: 1 to 6, 1 the outermost. */
  level?: number;
  /** Of a heading: its words, without marks. */
  heading?: string;
  /** Places on the pages of the document, in the order of the text, if the format has pages. */
  regions?: readonly PageRegion[];
}

/** Builds a document's text from the pieces that a format distinguishes. */
export interface TextBuilder {
  add(kind: Exclude<BlockKind, 'heading'>, text: string, regions?: readonly PageRegion[]): void;
  addHeading(level: number, words: string, regions?: readonly PageRegion[]): void;
  finish(): { text: string; blocks: Block[] };
}

/** Creates a builder. An empty line separates blocks; a line end separates list items and table rows. */
export function createTextBuilder(): TextBuilder {
  let text = '';
  const blocks: Block[] = [];
  const append = (block: Omit<Block, 'start' | 'end'>, raw: string) => {
    const clean = cleanText(raw);
    // The first line of code keeps its indent, but its range begins at the first visible character.
    const piece = block.kind === 'code' ? clean.replace(/^(?:[^\S\n]*\n)+/, '').trimEnd() : clean.trim();
    if (piece.trim() === '') return;
    const before = blocks.at(-1)?.kind;
    const isTight = before === block.kind && (before === 'list-item' || before === 'table-row');
    if (text !== '') text += isTight ? '\n' : '\n\n';
    const start = text.length + piece.length - piece.trimStart().length;
    text += piece;
    blocks.push({ ...block, start, end: text.length });
  };
  return {
    add: (kind, raw, regions) => append({ kind, ...(regions !== undefined && { regions }) }, raw),
    addHeading(level, words, regions) {
      const heading = cleanText(words).replace(/\s+/g, ' ').trim();
      if (heading !== '')
        append(
          { kind: 'heading', level, heading, ...(regions !== undefined && { regions }) },
          `${'#'.repeat(level)} ${heading}`,
        );
    },
    finish: () => ({ text, blocks }),
  };
}

/** Returns a table row as one line, each cell with its column's header; empty if no cell has text. */
export function renderRow(header: readonly string[], cells: readonly string[]): string {
  const parts = cells.map((cell, index) => {
    const value = cell.replace(/\s+/g, ' ').trim();
    const name = (header[index] ?? '').replace(/\s+/g, ' ').trim();
    if (value === '' || name === '' || name === value) return value;
    return /\p{sc=Han}/u.test(name) ? `${name}：${value}` : `${name}: ${value}`;
  });
  const filled = parts.filter((part) => part !== '');
  return filled.length === 0 ? '' : `| ${filled.join(' | ')} |`;
}
