import type { PageContent } from '../pdfium/page.ts';
import type { Tag } from '../pdfium/tags.ts';
import { compact } from '../tables/ruled.ts';
import { type Cell, cellText, type Table } from '../tables/table.ts';
import { type Block, type Element, elementsOfWords } from './elements.ts';
import { hullOf } from './geometry.ts';
import { rowsOf, type Word, wordsOf } from './words.ts';

// Structure elements (ISO 32000-1, 14.8) say what text is and in which order it is read. What no element of a known kind holds is read by its
// place on the page: pages of browsers tag paragraphs, but not tables that are made of other boxes.

/** Share of the characters of a page that elements must hold, and that headings may hold. Otherwise the tags are wrong. */
const shares = { held: 0.5, headings: 0.5 };
const headingLengthMax = 300;

/** A part of a page in the order of its tags: a block, a table, or words that are read by their places. */
type Part =
  | { block: Omit<Block, 'page' | keyof Box>; words: Word[] }
  | { cells: Cell[]; words: Word[] }
  | { words: Word[] };
type Box = ReturnType<typeof hullOf>;

/** Returns the elements of a page in the order of its tags; `undefined` if it has none, or they contradict what the page shows. */
export function taggedElements(page: PageContent): Element[] | undefined {
  if (page.tags.length === 0) return undefined;
  const words = page.writings.filter(({ isUpright }) => isUpright).flatMap(({ glyphs }) => wordsOf(glyphs));
  const byContent = Map.groupBy(words, ({ glyphs }) => glyphs[0]?.contentId ?? -1);
  byContent.delete(-1);
  const parts = partsOf(page.tags, byContent);
  const held = new Set(parts.flatMap((part) => part.words));
  const lengthOf = (some: readonly Word[]) => some.reduce((sum, { text }) => sum + text.length, 0);
  const headings = parts
    .filter((part) => 'block' in part && part.block.role === 'heading')
    .flatMap((part) => part.words);
  const whole = lengthOf(words);
  if (lengthOf([...held]) < whole * shares.held || lengthOf(headings) > whole * shares.headings) return undefined;
  const elements = joinLoose(parts).flatMap((part) => toElements(part, page));
  const rest = words.filter((word) => !held.has(word));
  const turned = page.writings.filter(({ isUpright }) => !isUpright);
  return [
    ...insertByPlace(elements, elementsOfWords(rest, page)),
    ...turned.flatMap((one) => elementsOfWords(wordsOf(one.glyphs), page, one)),
  ];
}

function toElements(part: Part, page: PageContent): Element[] {
  const box = hullOf(part.words);
  if ('block' in part) return [{ ...part.block, ...box, page: page.number }];
  if ('cells' in part) {
    const table: Table = compact(part.cells, box, true);
    if (table.columnCount >= 2) return [{ kind: 'table', page: page.number, ...box, table }];
  }
  return elementsOfWords(part.words, page);
}

/** Joins neighbouring parts that are read by their places: together they may be a table. */
function joinLoose(parts: readonly Part[]): Part[] {
  const joined: Part[] = [];
  for (const part of parts) {
    const last = joined.at(-1);
    const isLoose = !('block' in part) && !('cells' in part);
    if (isLoose && last !== undefined && !('block' in last) && !('cells' in last)) last.words.push(...part.words);
    else if (part.words.length > 0) joined.push(isLoose ? { words: [...part.words] } : part);
  }
  return joined;
}

function partsOf(tags: readonly Tag[], byContent: ReadonlyMap<number, Word[]>): Part[] {
  const parts: Part[] = [];
  const wordsIn = (tag: Tag): Word[] =>
    tag.children.flatMap((child) => (typeof child === 'number' ? (byContent.get(child) ?? []) : wordsIn(child)));
  const visit = (tag: Tag): void => {
    const own = roleOf(tag.type);
    if (own === 'table') return void parts.push({ cells: cellsOf(tag, wordsIn), words: wordsIn(tag) });
    if (own !== 'group') {
      const words = wordsIn(tag);
      const text = cellText(words);
      const isHeading = own.role === 'heading' && text.length <= headingLengthMax;
      if (own.role === 'paragraph' && isLaidOut(words)) return void parts.push({ words });
      const role = own.role === 'heading' && !isHeading ? 'paragraph' : own.role;
      return void parts.push({ block: { kind: 'block', role, level: own.level, text }, words });
    }
    for (const child of tag.children) {
      if (typeof child !== 'number') visit(child);
      else parts.push({ words: [...(byContent.get(child) ?? [])] });
    }
  };
  for (const tag of tags) visit(tag);
  return parts;
}

/** Reports whether the words of a paragraph are set in columns, as a table that was tagged as text. */
function isLaidOut(words: readonly Word[]): boolean {
  const rows = rowsOf(words);
  return rows.length >= 3 && rows.filter(({ segments }) => segments.length >= 2).length * 2 > rows.length;
}

type Role = { role: Block['role']; level: number };

function roleOf(type: string): Role | 'table' | 'group' {
  const heading = /^H([1-6])?$/.exec(type);
  if (heading !== null) return { role: 'heading', level: Number(heading[1] ?? 1) };
  switch (type) {
    case 'Title':
      return { role: 'heading', level: 1 };
    case 'P':
    case 'Caption':
    case 'BlockQuote':
    case 'Note':
    case 'FENote':
    case 'Code':
    case 'Formula':
    case 'BibEntry':
      return { role: 'paragraph', level: 0 };
    case 'LI':
    case 'TOCI':
      return { role: 'list-item', level: 0 };
    case 'Table':
      return 'table';
    default:
      return 'group';
  }
}

/** Returns the cells of a table by its rows, each beside those that reach down from above. */
function cellsOf(table: Tag, wordsIn: (tag: Tag) => Word[]): Cell[] {
  const cells: Cell[] = [];
  const taken = new Set<string>();
  let row = 0;
  const addRow = (tag: Tag) => {
    let column = 0;
    for (const cell of tag.children) {
      if (typeof cell === 'number' || (cell.type !== 'TD' && cell.type !== 'TH')) continue;
      while (taken.has(`${row},${column}`)) column++;
      const { rowSpan, columnSpan } = cell;
      for (let down = 0; down < rowSpan; down++) {
        for (let along = 0; along < columnSpan; along++) taken.add(`${row + down},${column + along}`);
      }
      const words = wordsIn(cell);
      const isStrong = cell.type === 'TH';
      cells.push({ row, column, rowSpan, columnSpan, text: cellText(words), isStrong, box: hullOf(words) });
      column += columnSpan;
    }
    row++;
  };
  const visit = (tag: Tag) => {
    for (const child of tag.children) {
      if (typeof child === 'number') continue;
      if (child.type === 'TR') addRow(child);
      else visit(child);
    }
  };
  visit(table);
  return cells.filter(({ text }) => text !== '');
}

/** Inserts elements that the tags do not name: each before the first element that is below it. */
function insertByPlace(elements: readonly Element[], rest: readonly Element[]): Element[] {
  const all = [...elements];
  for (const element of rest) {
    const at = all.findIndex((one) => one.top >= element.bottom - 1);
    all.splice(at < 0 ? all.length : at, 0, element);
  }
  return all;
}
