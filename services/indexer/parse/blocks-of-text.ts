import type { Block, BlockKind } from './blocks.ts';

const fence = /^\s*(?:```|~~~)/;
const atxHeading = /^(#{1,6})[ \t]+(?=\S)/;
const atxLengthMax = 1000;
const listItem = /^\s*(?:[-*+•·]\s+|\(?\d{1,3}[.)]\s+|\d{1,3}、|[（(][\d一二三四五六七八九十]{1,3}[)）])\S/;
const tableRow = /^\s*\|.*\|\s*$/;
/** `一、时间`, `第三章 退货`, `（二）范围`: how Chinese notices and rules number their parts. */
const numberedHeading = /^(?:(第[一二三四五六七八九十百零\d]{1,5}[章编部分节])|([一二三四五六七八九十]{1,3}、))\s*\S/;
const headingLengthMax = 40;
/** A line this long that stops without punctuation was wrapped by an editor, not ended by its author. In code units. */
const wrappedLengthMin = 60;
const ended = /[\p{sc=Han}。！？；：!?.;:…"”’』」）)\]}*_>|]\s*$/u;

/**
 * The blocks of a text that carries its structure in its lines: Markdown headings, lists, tables and code, numbered Chinese
 * headings, paragraphs. The text itself stays as it is.
 */
export function blocksOfText(text: string): Block[] {
  const blocks: Block[] = [];
  let open: { kind: BlockKind; start: number; end: number } | undefined;
  let isFenced = false;
  const flush = () => {
    if (open !== undefined) push(blocks, text, open);
    open = undefined;
  };
  const extend = (kind: BlockKind, start: number, end: number) => {
    open ??= { kind, start, end };
    open.end = end;
  };
  for (const { start, end } of linesOf(text)) {
    const line = text.slice(start, end);
    if (isFenced || fence.test(line)) {
      if (!isFenced) flush();
      extend('code', start, end);
      if (isFenced && fence.test(line)) flush();
      if (fence.test(line)) isFenced = !isFenced;
      continue;
    }
    const heading = headingOf(line, open === undefined);
    if (line.trim() === '') flush();
    else if (heading !== undefined) {
      flush();
      blocks.push({ kind: 'heading', ...trim(text, start, end), ...heading });
    } else if (tableRow.test(line) || listItem.test(line)) {
      flush();
      extend(tableRow.test(line) ? 'table-row' : 'list-item', start, end);
    } else if (open !== undefined && goesOn(text.slice(open.start, open.end), line, open.kind)) {
      extend(open.kind, start, end);
    } else {
      flush();
      extend('paragraph', start, end);
    }
  }
  flush();
  return blocks;
}

function* linesOf(text: string): Iterable<{ start: number; end: number }> {
  for (let start = 0; start <= text.length; ) {
    const newline = text.indexOf('\n', start);
    const end = newline === -1 ? text.length : newline;
    yield { start, end };
    start = end + 1;
  }
}

function headingOf(line: string, isAfterBreak: boolean): { level: number; heading: string } | undefined {
  const atx = line.length <= atxLengthMax ? atxHeading.exec(line) : null;
  if (atx !== null) {
    const heading = line.slice(atx[0].length).trimEnd().replace(/#+$/, '').trimEnd();
    if (heading !== '') return { level: (atx[1] as string).length, heading };
  }
  const words = line.trim();
  if (!isAfterBreak || words.length > headingLengthMax || /[。；：，,.;:！？!?]$/.test(words)) return undefined;
  const numbered = numberedHeading.exec(words);
  if (numbered === null) return undefined;
  return { level: numbered[1] === undefined ? 2 : 1, heading: words };
}

/** Does this line go on with the block before it? */
function goesOn(block: string, line: string, kind: BlockKind): boolean {
  if (kind === 'table-row') return false;
  if (/^\s+\S/.test(line)) return true;
  const last = block.slice(block.lastIndexOf('\n') + 1);
  return last.length >= wrappedLengthMin && !ended.test(last);
}

function push(blocks: Block[], text: string, { kind, start, end }: { kind: BlockKind; start: number; end: number }) {
  const range = trim(text, start, end);
  if (range.end > range.start) blocks.push({ kind, ...range });
}

function trim(text: string, start: number, end: number): { start: number; end: number } {
  const raw = text.slice(start, end);
  const from = start + (raw.length - raw.trimStart().length);
  return { start: from, end: Math.max(from, start + raw.trimEnd().length) };
}
