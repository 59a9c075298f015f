/** A sentence as a half-open range `[start, end)` of UTF-16 code units in the text it came from, without outer white space. */
export interface Sentence {
  start: number;
  end: number;
}

/** Words that a full stop does not end a sentence after, whatever follows. Lower case. */
const ABBREVIATIONS = new Set(
  'mr mrs ms dr prof st vs no nos fig figs eq sec ch vol pp e.g i.e cf al approx dept gen rep sen jan feb mar apr jun jul aug sep sept oct nov dec'.split(
    ' ',
  ),
);

const FENCE = /^[ \t]*(?:```|~~~)/;
const TABLE_ROW = /^[ \t]*\|.*\|[ \t]*$/;
/** A list item, heading or quotation, with its marker; `1.`, `2)`, `3、` and `（四）` are markers, `1.5` is not. */
const BLOCK_MARKER =
  /^[ \t]*(?:[-*+•·][ \t]+|#{1,6}[ \t]+|>[ \t]?|\(?\d{1,3}[.)](?=\s|\p{sc=Han})[ \t]*|\d{1,3}、|[（(][\d一二三四五六七八九十]{1,3}[)）])/u;
const FINAL = /[。！？!?.．｡]+[”’"'»）)\]】』」》*_]*/gu;
const FULL_WIDTH_FINAL = /[。！？｡]/;
/** A line this long (UTF-16 code units) that stops without punctuation was wrapped by an editor, not ended by its author. */
const WRAPPED_LENGTH_MIN = 60;

/**
 * Splits Chinese, English and mixed Markdown into sentences, in order and without overlap. Decimals, versions, URLs, initials and
 * abbreviations stay whole; closing quotes and brackets stay with their sentence. A table row, a heading and a line of code are
 * one sentence each; a list item starts one. Hard-wrapped prose is read across its line ends.
 */
export function splitSentences(text: string): Sentence[] {
  const sentences: Sentence[] = [];
  let fenced = false;
  let blockStart = 0;
  let blockEnd = 0;
  const flush = (): void => {
    splitProse(text, blockStart, blockEnd, sentences);
    blockStart = blockEnd;
  };
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf('\n', start);
    const end = newline === -1 ? text.length : newline;
    const line = text.slice(start, end);
    const isFence = FENCE.test(line);
    const isWhole = fenced || isFence || TABLE_ROW.test(line) || /^#{1,6}\s/.test(line);
    if (isWhole || !continues(text.slice(blockStart, blockEnd), line)) {
      flush();
      blockStart = start;
    }
    blockEnd = end;
    if (isWhole) {
      pushTrimmed(text, start, end, sentences);
      blockStart = end;
    }
    if (isFence) fenced = !fenced;
    start = end + 1;
  }
  flush();
  return sentences;
}

/** Returns whether this line continues an open sentence of the block before it. */
function continues(block: string, line: string): boolean {
  const before = block.trimEnd();
  if (before === '' || line.trim() === '' || BLOCK_MARKER.test(line)) return false;
  if (/[\p{sc=Han}。！？!?.:：;；]["”’')）]*$/u.test(before)) return false;
  if (/^\s*\p{Ll}/u.test(line)) return true;
  const lastLine = before.slice(before.lastIndexOf('\n') + 1);
  return lastLine.length >= WRAPPED_LENGTH_MIN && /[\p{L}\p{N},]$/u.test(before);
}

function splitProse(text: string, from: number, to: number, into: Sentence[]): void {
  const block = text.slice(from, to);
  const prose = BLOCK_MARKER.exec(block)?.[0].length ?? 0;
  let start = 0;
  for (const match of block.matchAll(FINAL)) {
    const end = match.index + match[0].length;
    if (match.index < prose || !endsSentence(block, match.index, end, match[0])) continue;
    pushTrimmed(text, from + start, from + end, into);
    start = end;
  }
  pushTrimmed(text, from + start, to, into);
}

function endsSentence(block: string, index: number, end: number, mark: string): boolean {
  if (FULL_WIDTH_FINAL.test(mark)) return true;
  const next = block.slice(end, end + 8);
  if (next !== '' && !/^[\s\p{sc=Han}]/u.test(next)) return false;
  // "Really?" she asked, … / 10 a.m. yesterday
  if (/^\s*\p{Ll}/u.test(next)) return /^[!?]+$/.test(mark);
  if (!mark.startsWith('.')) return true;
  const before = block.slice(Math.max(0, index - 16), index);
  if (/\d$/.test(before) && /^\p{sc=Han}{2}/u.test(next) && mark === '.') return false;
  const word = /[\p{L}.]*$/u.exec(before)?.[0] ?? '';
  return !(ABBREVIATIONS.has(word.toLowerCase()) || /^\p{Lu}$/u.test(word));
}

function pushTrimmed(text: string, from: number, to: number, into: Sentence[]): void {
  const raw = text.slice(from, to);
  const start = from + (raw.length - raw.trimStart().length);
  const end = from + raw.trimEnd().length;
  if (end > start) into.push({ start, end });
}
