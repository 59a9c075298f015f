/** A run inside a block. `start` is its place in the source, in UTF-16 code units. */
export type Inline =
  | { kind: 'text'; text: string; start: number }
  | { kind: 'code'; text: string; start: number }
  | { kind: 'strong' | 'emphasis'; children: Inline[] }
  | { kind: 'link'; href: string; children: Inline[] }
  /** A citation marker `[n]`. */
  | { kind: 'marker'; marker: number; start: number }
  | { kind: 'newline' };

/** A block. `start` and `end` are its place in the source. */
export type Block = { start: number; end: number } & (
  | { kind: 'paragraph'; children: Inline[] }
  | { kind: 'heading'; level: number; children: Inline[] }
  | { kind: 'list'; ordered: boolean; first: number; items: Block[][] }
  | { kind: 'code'; lines: Line[] }
  | { kind: 'table'; header: Inline[][]; rows: Inline[][][] }
  | { kind: 'quote'; children: Block[] }
  | { kind: 'rule' }
);

/** A line of the source, without what its block takes away at its front. */
export interface Line {
  text: string;
  start: number;
}

/** Blocks inside blocks and runs inside runs go no deeper; what is deeper stays as it was written. */
const maxDepth = 6;
/** Characters within which a run must close. */
const maxRun = 2000;

const fencePattern = /^ {0,3}(`{3,}|~{3,})/;
const headingPattern = /^ {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*$/;
const rulePattern = /^ {0,3}(?:-[ -]*-[ -]*-|\*[ *]*\*[ *]*\*|_[ _]*_[ _]*_)[ ]*$/;
const quotePattern = /^ {0,3}> ?/;
const listPattern = /^( {0,5})(?:([-*+•])[ \t]+|(\d{1,4})(?:[.)][ \t]+|、[ \t]*))(?=\S)/;
const tableRulePattern = /^ {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;

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

/** Whether a list goes on after a blank line. */
function continuesList(next: Line | undefined, indent: number, ordered: boolean): boolean {
  if (next === undefined || isBlank(next)) return false;
  const start = listPattern.exec(next.text);
  if (start !== null && (start[1]?.length ?? 0) <= indent + 1) return (start[3] !== undefined) === ordered;
  return leadingBlanks(next.text) >= indent + 2;
}

function parseTable(lines: readonly Line[], index: number, open: boolean): [Block, number] {
  let end = index + 2;
  while (end < lines.length && !isBlank(lines[end]) && lineAt(lines, end).text.includes('|')) end++;
  const own = lines.slice(index, end);
  const cells = (line: Line) => splitCells(line).map((cell) => parseLine(cell, open));
  const header = cells(lineAt(own, 0));
  const rows = own.slice(2).map((line) => {
    const row = cells(line).slice(0, header.length);
    return row.concat(Array.from({ length: header.length - row.length }, () => []));
  });
  return [{ kind: 'table', header, rows, ...placeOf(own) }, own.length];
}

function splitCells(line: Line): Line[] {
  const outer = /^[ \t]*\|?/.exec(line.text)?.[0].length ?? 0;
  const cells: Line[] = [];
  let start = outer;
  const push = (end: number) => {
    const cell = cut({ text: line.text.slice(0, end), start: line.start }, start);
    const blanks = leadingBlanks(cell.text);
    cells.push({ text: cell.text.trim(), start: cell.start + blanks });
  };
  for (let index = outer; index < line.text.length; index++) {
    if (line.text[index] !== '|' || line.text[index - 1] === '\\') continue;
    push(index);
    start = index + 1;
  }
  if (line.text.slice(start).trim() !== '') push(line.text.length);
  return cells;
}

function startsTable(lines: readonly Line[], index: number): boolean {
  const rule = lines[index + 1];
  if (rule === undefined || !lineAt(lines, index).text.includes('|') || !rule.text.includes('|')) return false;
  return tableRulePattern.test(rule.text);
}

/** Whether a line ends the paragraph before it. */
function startsBlock(lines: readonly Line[], index: number): boolean {
  const { text } = lineAt(lines, index);
  const known = [fencePattern, headingPattern, rulePattern, quotePattern, listPattern];
  return known.some((pattern) => pattern.test(text)) || startsTable(lines, index);
}

/** The runs of a line. */
function parseLine(line: Line, open: boolean): Inline[] {
  return parseInlines(line.text.trimEnd(), line.start, open, 0);
}

function parseInlines(text: string, start: number, open: boolean, depth: number): Inline[] {
  const inlines: Inline[] = [];
  let plainFrom = 0;
  let index = 0;
  const plainUntil = (end: number) => {
    if (end > plainFrom) inlines.push({ kind: 'text', text: text.slice(plainFrom, end), start: start + plainFrom });
  };
  while (index < text.length) {
    const run = depth < maxDepth ? parseRun(text, index, start, open, depth) : undefined;
    if (run === undefined) {
      index++;
      continue;
    }
    plainUntil(index);
    if (run.inline !== undefined) inlines.push(run.inline);
    index = run.end;
    plainFrom = run.plainFrom ?? run.end;
  }
  plainUntil(text.length);
  return inlines;
}

interface Run {
  /** Absent for a backslash, which only vanishes. */
  inline?: Inline;
  end: number;
  plainFrom?: number;
}

/** The run that begins at `index`; `undefined` where the character stands for itself. */
function parseRun(text: string, index: number, start: number, open: boolean, depth: number): Run | undefined {
  switch (text[index]) {
    case '\\':
      if (!/[\\`*_[\]|#>~-]/.test(text[index + 1] ?? '')) return undefined;
      return { end: index + 2, plainFrom: index + 1 };
    case '`':
      return parseCodeRun(text, index, start);
    case '*':
      return parseStarRun(text, index, start, open, depth);
    case '[':
      return parseBracketRun(text, index, start, open, depth);
    case 'h':
      return parseAddressRun(text, index, start);
    default:
      return undefined;
  }
}

function parseCodeRun(text: string, index: number, start: number): Run | undefined {
  const fence = /^`+/.exec(text.slice(index, index + 8))?.[0] ?? '`';
  const end = findWithin(text, fence, index + fence.length);
  if (end < 0) return undefined;
  const from = index + fence.length;
  return { inline: { kind: 'code', text: text.slice(from, end), start: start + from }, end: end + fence.length };
}

function parseStarRun(text: string, index: number, start: number, open: boolean, depth: number): Run | undefined {
  const mark = text.startsWith('**', index) ? '**' : '*';
  const from = index + mark.length;
  if (!/\S/.test(text[from] ?? ' ')) return undefined;
  if (mark === '*' && /[A-Za-z0-9]/.test(text[index - 1] ?? '')) return undefined; // 2*3*4
  let end = findWithin(text, mark, from + 1);
  while (end > 0 && (/\s/.test(text[end - 1] ?? '') || (mark === '*' && text[end + 1] === '*'))) {
    end = findWithin(text, mark, end + 2);
  }
  const unfinished = end < 0 && open && mark === '**';
  if (end < 0 && !unfinished) return undefined;
  const inner = text.slice(from, unfinished ? text.length : end);
  const children = parseInlines(inner, start + from, open, depth + 1);
  const kind = mark === '**' ? 'strong' : 'emphasis';
  return { inline: { kind, children }, end: unfinished ? text.length : end + mark.length };
}

function parseBracketRun(text: string, index: number, start: number, open: boolean, depth: number): Run | undefined {
  const marker = /^\[(\d{1,3})\](?!\()/.exec(text.slice(index, index + 7));
  if (marker !== null) {
    return {
      inline: { kind: 'marker', marker: Number(marker[1]), start: start + index },
      end: index + marker[0].length,
    };
  }
  const link = /^\[([^[\]]{1,500})\]\(([^()\s]{1,2000})\)/.exec(text.slice(index, index + 2600));
  const href = safeHref(link?.[2]);
  if (link === null || href === undefined) return undefined;
  const children = parseInlines(link[1] ?? '', start + index + 1, open, depth + 1);
  return { inline: { kind: 'link', href, children }, end: index + link[0].length };
}

function parseAddressRun(text: string, index: number, start: number): Run | undefined {
  if (/[\p{L}\p{N}]/u.test(text[index - 1] ?? '')) return undefined;
  const address = /^https?:\/\/[\w\-.~:/?#@!$&'*+,;=%]+/
    .exec(text.slice(index, index + maxRun))?.[0]
    .replace(/[.,;:!?'*]+$/, '');
  const href = safeHref(address);
  if (address === undefined || href === undefined) return undefined;
  const child: Inline = { kind: 'text', text: address, start: start + index };
  return { inline: { kind: 'link', href, children: [child] }, end: index + address.length };
}

/** An address that a page may link to: http, https or mailto. `undefined` for all else, script above all. */
export function safeHref(href: string | undefined): string | undefined {
  if (href === undefined || !URL.canParse(href)) return undefined;
  return ['http:', 'https:', 'mailto:'].includes(new URL(href).protocol) ? href : undefined;
}

function findWithin(text: string, part: string, from: number): number {
  const end = text.indexOf(part, from);
  return end >= 0 && end - from <= maxRun ? end : -1;
}

function cut({ text, start }: Line, count: number): Line {
  return { text: text.slice(count), start: start + count };
}

function leadingBlanks(text: string): number {
  return text.length - text.trimStart().length;
}

function isBlank(line: Line | undefined): boolean {
  return line !== undefined && line.text.trim() === '';
}

function lineAt(lines: readonly Line[], index: number): Line {
  return lines[index] ?? { text: '', start: 0 };
}

function placeOf(lines: readonly Line[]): { start: number; end: number } {
  const last = lines.at(-1);
  return { start: lines[0]?.start ?? 0, end: last === undefined ? 0 : last.start + last.text.length };
}
