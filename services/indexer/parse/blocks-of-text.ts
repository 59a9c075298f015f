import type { Block, BlockKind } from './blocks.ts';

const fence = /^\s*(?:```|~~~)/;
const atxHeading = /^(#{1,6})[ \t]+(?=\S)/;
const atxLengthMax = 1000;
const listItem = /^\s*(?:[-*+•·]\s+|\(?\d{1,3}[.)]\s+|\d{1,3}、|[（(][\d一二三四五六七八九十]{1,3}[)）])\S/;
const tableRow = /^\s*\|.*\|\s*$/;
/** `一、时间`, `第三章 退货`, `（二）范围`: the numbered headings of Chinese notices and rules. */
const numberedHeading = /^(?:(第[一二三四五六七八九十百零\d]{1,5}[章编部分节])|([一二三四五六七八九十]{1,3}、))\s*\S/;
const headingLengthMax = 40;
/** Shortest line, in code units, that counts as wrapped by an editor if it ends without punctuation. */
const wrappedLengthMin = 60;
const ended = /[\p{sc=Han}。！？；：!?.;:…"”’』」）)\]}*_>|]\s*$/u;

/** A block that further lines can extend, as a range of the text. */
interface OpenBlock {
  kind: BlockKind;
  start: number;
  end: number;
}

/** What a line outside of code does to the blocks. */
type LineEffect =
  | { kind: 'break' }
  | { kind: 'heading'; level: number; heading: string }
  | { kind: 'begin'; block: BlockKind }
  | { kind: 'extend' };

/**
 * Returns the blocks of a text whose structure is in its lines: Markdown headings, lists, tables and code, numbered Chinese
 * headings, and paragraphs. The text does not change.
 */
export function blocksOfText(text: string): Block[] {
  const blocks: Block[] = [];
  let open: OpenBlock | undefined;
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
    const isFence = fence.test(line);
    if (isFenced || isFence) {
      if (!isFenced) flush();
      extend('code', start, end);
      if (isFenced && isFence) flush();
      if (isFence) isFenced = !isFenced;
      continue;
    }
    const effect = effectOf(line, text, open);
    if (effect.kind !== 'extend') flush();
    if (effect.kind === 'heading') blocks.push({ ...effect, ...trim(text, start, end) });
    else if (effect.kind === 'begin') extend(effect.block, start, end);
    else if (open !== undefined) extend(open.kind, start, end);
  }
  flush();
  return blocks;
}

function effectOf(line: string, text: string, open: OpenBlock | undefined): LineEffect {
  if (line.trim() === '') return { kind: 'break' };
  const heading = headingOf(line, open === undefined);
  if (heading !== undefined) return { kind: 'heading', ...heading };
  if (tableRow.test(line)) return { kind: 'begin', block: 'table-row' };
  if (listItem.test(line)) return { kind: 'begin', block: 'list-item' };
  const isContinued = open !== undefined && continues(text.slice(open.start, open.end), line, open.kind);
  return isContinued ? { kind: 'extend' } : { kind: 'begin', block: 'paragraph' };
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

/** Reports whether the line continues the block before it. */
function continues(block: string, line: string, kind: BlockKind): boolean {
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
