import { type Inline, parseLine } from './inline.ts';
import { cut, isBlank, type Line, leadingBlanks, lineAt, placeOf } from './lines.ts';
import { parseNamedRows, parseTable, startsTable, type TableContent } from './table.ts';

/** A block. `start` and `end` are its place in the source. */
export type Block = { start: number; end: number } & (
  | { kind: 'paragraph'; children: Inline[] }
  | { kind: 'heading'; level: number; children: Inline[] }
  | { kind: 'list'; ordered: boolean; first: number; items: Block[][] }
  | { kind: 'code'; lines: Line[] }
  | TableContent
  | { kind: 'quote'; children: Block[] }
  | { kind: 'rule' }
);

/** Blocks inside blocks go no deeper; what is deeper stays as it was written. */
const maxDepth = 6;

const fencePattern = /^ {0,3}(`{3,}|~{3,})/;
const headingPattern = /^ {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*$/;
const rulePattern = /^ {0,3}(?:-[ -]*-[ -]*-|\*[ *]*\*[ *]*\*|_[ _]*_[ _]*_)[ ]*$/;
const quotePattern = /^ {0,3}> ?/;
const listPattern = /^( {0,5})(?:([-*+•])[ \t]+|(\d{1,4})(?:[.)][ \t]+|、[ \t]*))(?=\S)/;

/**
 * The small part of Markdown that answers and documents use: paragraphs, headings, lists, tables, quotes, code, bold,
 * emphasis, links and citation markers. A line break stays one. Everything keeps its place in the source.
 *
 * `open`: the text is still growing, so a bold run without an end reaches to the end of its line.
 */
export function parseMarkdown(source: string, open = false): Block[] {
  const lines: Line[] = [];
  let start = 0;
  for (const text of source.split('\n')) {
    lines.push({ text: text.endsWith('\r') ? text.slice(0, -1) : text, start });
    start += text.length + 1;
  }
  return parseBlocks(lines, open, 0);
}

function parseBlocks(lines: readonly Line[], open: boolean, depth: number): Block[] {
  const blocks: Block[] = [];
  for (let index = 0; index < lines.length; ) {
    if (isBlank(lines[index])) {
      index++;
      continue;
    }
    const [block, lineCount] = parseBlock(lines, index, open, depth);
    blocks.push(block);
    index += lineCount;
  }
  return blocks;
}

/** The block that begins at a line, and the count of its lines: at least 1. */
function parseBlock(lines: readonly Line[], index: number, open: boolean, depth: number): [Block, number] {
  const line = lineAt(lines, index);
  if (fencePattern.test(line.text)) return parseCode(lines, index);
  const heading = headingPattern.exec(line.text);
  if (heading !== null) {
    const content = heading[2] ?? '';
    const children = parseLine(
      { text: content, start: line.start + line.text.indexOf(content, heading[1]?.length) },
      open,
    );
    return [{ kind: 'heading', level: heading[1]?.length ?? 1, children, ...placeOf([line]) }, 1];
  }
  if (rulePattern.test(line.text)) return [{ kind: 'rule', ...placeOf([line]) }, 1];
  if (startsTable(lines, index)) return parseTable(lines, index, open);
  const namedRows = parseNamedRows(lines, index, open);
  if (namedRows !== undefined) return namedRows;
  if (depth < maxDepth) {
    if (quotePattern.test(line.text)) return parseQuote(lines, index, open, depth);
    if (listPattern.test(line.text)) return parseList(lines, index, open, depth);
  }
  return parseParagraph(lines, index, open);
}

function parseCode(lines: readonly Line[], index: number): [Block, number] {
  const fence = fencePattern.exec(lineAt(lines, index).text)?.[1] ?? '```';
  let end = index + 1;
  while (end < lines.length && !lineAt(lines, end).text.trimStart().startsWith(fence)) end++;
  const lineCount = Math.min(end + 1, lines.length) - index;
  return [
    { kind: 'code', lines: lines.slice(index + 1, end), ...placeOf(lines.slice(index, index + lineCount)) },
    lineCount,
  ];
}

function parseParagraph(lines: readonly Line[], index: number, open: boolean): [Block, number] {
  let end = index + 1;
  while (end < lines.length && !isBlank(lines[end]) && !startsBlock(lines, end)) end++;
  const own = lines.slice(index, end);
  const children = own.flatMap((line, position): Inline[] =>
    position === 0 ? parseLine(line, open) : [{ kind: 'newline' }, ...parseLine(line, open)],
  );
  return [{ kind: 'paragraph', children, ...placeOf(own) }, own.length];
}

function parseQuote(lines: readonly Line[], index: number, open: boolean, depth: number): [Block, number] {
  let end = index + 1;
  while (end < lines.length && quotePattern.test(lineAt(lines, end).text)) end++;
  const own = lines.slice(index, end);
  const inner = own.map((line) => cut(line, quotePattern.exec(line.text)?.[0].length ?? 0));
  return [{ kind: 'quote', children: parseBlocks(inner, open, depth + 1), ...placeOf(own) }, own.length];
}

function parseList(lines: readonly Line[], index: number, open: boolean, depth: number): [Block, number] {
  const opening = listPattern.exec(lineAt(lines, index).text);
  const indent = opening?.[1]?.length ?? 0;
  const ordered = opening?.[3] !== undefined;
  const items: Line[][] = [];
  let width = 0;
  let end = index;
  for (; end < lines.length; end++) {
    const line = lineAt(lines, end);
    const start = listPattern.exec(line.text);
    if (start !== null && (start[1]?.length ?? 0) <= indent + 1) {
      if ((start[3] !== undefined) !== ordered) break;
      width = start[0].length;
      items.push([cut(line, width)]);
      continue;
    }
    const blank = isBlank(line);
    const next = lines[blank ? end + 1 : end];
    if (blank && !continuesList(next, indent, ordered)) break;
    if (!blank && leadingBlanks(line.text) <= indent && (isBlank(lines[end - 1]) || startsBlock(lines, end))) break;
    items.at(-1)?.push(cut(line, Math.min(leadingBlanks(line.text), width)));
  }
  const list = {
    kind: 'list' as const,
    ordered,
    first: Number(opening?.[3] ?? 1),
    items: items.map((item) => parseBlocks(item, open, depth + 1)),
  };
  return [{ ...list, ...placeOf(lines.slice(index, end)) }, end - index];
}

/** Reports whether a list continues after a blank line. */
function continuesList(next: Line | undefined, indent: number, ordered: boolean): boolean {
  if (next === undefined || isBlank(next)) return false;
  const start = listPattern.exec(next.text);
  if (start !== null && (start[1]?.length ?? 0) <= indent + 1) return (start[3] !== undefined) === ordered;
  return leadingBlanks(next.text) >= indent + 2;
}

/** Whether a line ends the paragraph before it. */
function startsBlock(lines: readonly Line[], index: number): boolean {
  const { text } = lineAt(lines, index);
  const known = [fencePattern, headingPattern, rulePattern, quotePattern, listPattern];
  return known.some((pattern) => pattern.test(text)) || startsTable(lines, index);
}
