import type { Block, Element, Line, TableElement } from '../layout/elements.ts';
import type { Box } from '../layout/geometry.ts';
import { joinLines } from '../tables/table.ts';
import { isListItem } from './lists.ts';

/** A piece of text of the document with its places; `size` is 0 if tags say what it is. */
export interface Piece {
  kind: 'piece';
  role: Block['role'] | 'unknown';
  level: number;
  text: string;
  size: number;
  isBold: boolean;
  lineCount: number;
  /** Distance to the line above in the same column, in shares of its size; infinite for the first line. */
  spaceAbove: number;
  places: (Box & { page: number })[];
}

/** What a document is made of, in order. */
export type Part = Piece | TableElement;

/** Greatest distance between the lines of a paragraph, in shares of the size of the font. */
const leadingMax = 1.75;
const sentenceEnd = /[.!?。！？…:：;；」』”"）)]\s*$/u;

/** Joins lines to paragraphs and list items. Tables and blocks of tags stay what they are. */
export function joinParagraphs(elements: readonly Element[]): Part[] {
  const parts: Part[] = [];
  let open: Piece | undefined;
  let last: Line | undefined;
  for (const element of elements) {
    if (element.kind !== 'line') {
      open = undefined;
      last = undefined;
      parts.push(element.kind === 'table' ? element : ofBlock(element));
      continue;
    }
    if (open !== undefined && last !== undefined && continues(open, last, element)) {
      open.text = joinText(open.text, element.text);
      open.lineCount++;
      addPlace(open, element);
    } else {
      open = ofLine(element, last);
      parts.push(open);
    }
    last = element;
  }
  return parts;
}

function ofBlock({ role, level, text, page, left, top, right, bottom }: Block): Piece {
  const places = [{ page, left, top, right, bottom }];
  return { kind: 'piece', role, level, text, size: 0, isBold: false, lineCount: 1, spaceAbove: 1, places };
}

function ofLine(line: Line, above: Line | undefined): Piece {
  const { text, size, isBold, page, left, top, right, bottom } = line;
  const isBelow = above !== undefined && above.page === page && above.part === line.part;
  const spaceAbove = isBelow ? (top - above.bottom) / size : Number.POSITIVE_INFINITY;
  const role = isListItem(text) ? 'list-item' : 'unknown';
  return {
    ...{ kind: 'piece', role, level: 0, text, size, isBold, lineCount: 1, spaceAbove },
    places: [{ page, left, top, right, bottom }],
  };
}

function continues(open: Piece, last: Line, line: Line): boolean {
  if (isListItem(line.text) || Math.abs(line.size - last.size) > last.size * 0.08) return false;
  if (line.isBold !== last.isBold && open.lineCount === 1) return false;
  const width = last.column.right - last.column.left;
  const isFull = last.right >= last.column.right - Math.max(line.size * 3, width * 0.12);
  if (last.page !== line.page || last.part !== line.part) {
    // A sentence that continues in the next column or on the next page.
    return isFull && !sentenceEnd.test(open.text) && last.size <= line.size * 1.05 && open.role !== 'list-item';
  }
  const distance = line.bottom - last.bottom;
  if (distance <= 0 || distance > line.size * leadingMax) return false;
  const isIndented = line.left > last.left + line.size * 0.9;
  if (open.role === 'list-item') return line.left >= (open.places[0]?.left ?? 0) - 1 && (isIndented || isFull);
  if (isIndented && last.left <= last.column.left + line.size * 0.5) return false;
  return isFull || !sentenceEnd.test(open.text);
}

function joinText(before: string, after: string): string {
  // A word that is divided at the end of a line.
  if (/\p{Ll}-$/u.test(before) && /^\p{Ll}/u.test(after)) return before.slice(0, -1) + after;
  return joinLines(before, after);
}

function addPlace(piece: Piece, { page, part: _, left, top, right, bottom }: Line): void {
  const last = piece.places.at(-1);
  const isBelow = last !== undefined && last.page === page && top >= last.top;
  if (!isBelow) piece.places.push({ page, left, top, right, bottom });
  else {
    last.left = Math.min(last.left, left);
    last.right = Math.max(last.right, right);
    last.bottom = Math.max(last.bottom, bottom);
  }
}
