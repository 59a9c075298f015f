import { splitSentences } from '#kit/text/sentences.ts';
import { toPlainText } from './plain-text.ts';

/** A part of a passage that can be quoted by itself. */
export interface Unit {
  kind: 'sentence' | 'step' | 'row' | 'code';
  /** Without markup, on one line (code: unchanged). Never empty. */
  text: string;
  /** Paragraph, list or table that it belongs to, from 0. */
  block: number;
  /** The heading above it: a heading inside the passage, or the question of a FAQ. */
  heading: string;
  /** Index of the unit that introduces its list or table ("Within 15 days:"), or `undefined`. */
  leadIndex: number | undefined;
  /** Number of a step in an ordered list. */
  number: number | undefined;
}

const fence = /^[ \t]*(?:```|~~~)/;
const tableLine = /^[ \t]*\|.*\|[ \t]*$/;
const tableRule = /^[ \t]*\|(?:[ \t]*:?-+:?[ \t]*\|)+[ \t]*$/;
const ruleBelow = /^[ \t]*\n[ \t]*\|(?:[ \t]*:?-+:?[ \t]*\|)+[ \t]*(?:\n|$)/;
const headingLine = /^[ \t]{0,3}#{1,6}[ \t]+(.*?)[ \t]*#*$/;
const boldLine = /^[ \t]*\*\*([^*]{1,80})\*\*[：:]?[ \t]*$/;
/** 三、发货 */
const chineseHeading = /^[一二三四五六七八九十]{1,3}、[^。，；：！？\n]{1,24}$/;
const listMarker =
  /^[ \t]*(?:[-*+•·][ \t]+|\(?(\d{1,3})[.)](?=\s|\p{sc=Han})[ \t]*|(\d{1,3})、|[（(]([\d一二三四五六七八九十]{1,3})[)）])/u;
const frontMatter = /^---\n(?:[\w-]{1,40}:.*\n|[ \t-].*\n){0,40}---(?:\n|$)/;
const leadEnd = /[：:]$/;
const questionEnd = /[？?]$/;

/** A sentence, row, heading or line of code, with its position. */
interface Piece {
  raw: string;
  /** The text between it and the piece before. */
  between: string;
  /** Whether it begins a paragraph. */
  isParagraph: boolean;
  /** Whether it is a line by itself. */
  isLine: boolean;
  /** The text after it. */
  rest: string;
}

/** The state of the reader. */
interface Reader {
  units: Unit[];
  block: number;
  heading: string;
  /** Whether the heading is a question, which one paragraph answers. */
  isQuestion: boolean;
  leadIndex: number | undefined;
  /** Lines of the code that the reader is in. */
  code: string[] | undefined;
  /** Names of the columns of the table that the reader is in; empty: it has none. */
  header: string[] | undefined;
}

/** Returns the units of a passage's text (Markdown or plain), in order. Headings, rules and front matter are never units. */
export function readUnits(text: string): Unit[] {
  const source = text.replace(frontMatter, '');
  const reader: Reader = {
    units: [],
    block: 0,
    heading: '',
    isQuestion: false,
    leadIndex: undefined,
    code: undefined,
    header: undefined,
  };
  let lastEnd = 0;
  for (const { start, end } of splitSentences(source)) {
    const between = source.slice(lastEnd, start);
    const piece: Piece = {
      raw: source.slice(start, end),
      between,
      isParagraph: /\n[ \t]*\n/.test(between),
      isLine: (start === 0 || between.includes('\n')) && (end === source.length || source[end] === '\n'),
      rest: source.slice(end, end + 200),
    };
    lastEnd = end;
    if (
      !readCode(reader, piece) &&
      !readRow(reader, piece) &&
      !readHeading(reader, piece) &&
      !readStep(reader, piece)
    ) {
      readSentence(reader, piece);
    }
  }
  if (reader.code !== undefined) push(reader, { kind: 'code', text: reader.code.join('\n') });
  return reader.units;
}

function push(reader: Reader, unit: Pick<Unit, 'kind' | 'text'> & Partial<Unit>): void {
  const { units, block, heading, leadIndex } = reader;
  const text = unit.kind === 'code' ? unit.text : withoutPipes(unit.text);
  // A step that is a question belongs to a table of contents.
  if (!/[\p{L}\p{N}]/u.test(text) || (unit.kind === 'step' && questionEnd.test(text))) return;
  units.push({ block, heading, leadIndex, number: undefined, ...unit, text });
}

function startBlock(reader: Reader): void {
  reader.block += 1;
  reader.leadIndex = undefined;
}

function readCode(reader: Reader, { raw }: Piece): boolean {
  const isFence = fence.test(raw);
  if (reader.code === undefined) {
    if (!isFence) return false;
    reader.code = [];
    reader.block += 1;
  } else if (isFence) {
    push(reader, { kind: 'code', text: reader.code.join('\n') });
    reader.code = undefined;
  } else reader.code.push(raw);
  return true;
}

function readRow(reader: Reader, { raw, rest, isParagraph }: Piece): boolean {
  const isRow = tableLine.test(raw);
  if (reader.header !== undefined && (!isRow || isParagraph)) {
    reader.header = undefined;
    startBlock(reader);
  }
  if (!isRow) return false;
  if (reader.header !== undefined) {
    if (!tableRule.test(raw)) push(reader, { kind: 'row', text: rowText(reader.header, cellsOf(raw)) });
    return true;
  }
  reader.block += 1;
  // Without a rule below it, the first line is a normal row.
  const hasHeader = ruleBelow.test(rest);
  reader.header = hasHeader ? cellsOf(raw) : [];
  if (!hasHeader) push(reader, { kind: 'row', text: rowText([], cellsOf(raw)) });
  return true;
}

function readHeading(reader: Reader, { raw }: Piece): boolean {
  const title = headingLine.exec(raw)?.[1] ?? boldLine.exec(raw)?.[1] ?? chineseHeading.exec(raw)?.[0];
  if (title === undefined) return false;
  reader.heading = toPlainText(title);
  reader.isQuestion = false;
  startBlock(reader);
  return true;
}

function readStep(reader: Reader, { raw, between }: Piece): boolean {
  const marker = listMarker.exec(raw);
  if (marker !== null) {
    const number = Number(marker[1] ?? marker[2] ?? Number.NaN);
    const text = toPlainText(raw.slice(marker[0].length));
    push(reader, { kind: 'step', text, number: Number.isNaN(number) ? undefined : number });
    return true;
  }
  const last = reader.units.at(-1);
  if (last?.kind !== 'step' || last.block !== reader.block) return false;
  if (/^[^\n]*$|\n[ \t]+$/.test(between)) {
    // The step continues: its next sentence, or an indented line below its marker.
    last.text += gapAfter(last.text) + toPlainText(raw);
    return true;
  }
  startBlock(reader);
  return false;
}

function readSentence(reader: Reader, { raw, isParagraph, isLine }: Piece): void {
  if (isParagraph) startBlock(reader);
  const text = toPlainText(raw.replace(/^[ \t]*>[ \t]?/gm, ''));
  if (questionEnd.test(text) && isLine) {
    reader.heading = text;
    reader.isQuestion = true;
    reader.leadIndex = undefined;
    return;
  }
  // The paragraph below a question answers it; later paragraphs have another topic.
  if (reader.isQuestion && isParagraph && reader.units.at(-1)?.heading === reader.heading) {
    reader.heading = '';
    reader.isQuestion = false;
  }
  push(reader, { kind: 'sentence', text });
  reader.leadIndex = leadEnd.test(text) ? reader.units.length - 1 : undefined;
}

/** Returns the separator after a sentence: nothing after Chinese, otherwise a space. */
export function gapAfter(text: string): '' | ' ' {
  return text === '' || /[\p{sc=Han}。！？；：，、”）】》]$/u.test(text) ? '' : ' ';
}

function cellsOf(line: string): string[] {
  return line
    .trim()
    .replace(/^\||\|$/g, '')
    .split(/(?<!\\)\|/)
    .map(toPlainText);
}

/** Returns the text of a row without its table: each cell after the name of its column. */
function rowText(header: readonly string[], cells: readonly string[]): string {
  const isChinese = /\p{sc=Han}/u.test(header.join('') + cells.join(''));
  const [colon, semicolon] = isChinese ? ['：', '；'] : [': ', '; '];
  return cells
    .flatMap((cell, index) => {
      const value = cell.replace(/[。；;.]$/, '');
      if (value === '') return [];
      const name = header[index] ?? '';
      return [name === '' || name === cell ? value : `${name}${colon}${value}`];
    })
    .join(semicolon);
}

/** Removes the bars that a table with line breaks leaves in the text. */
function withoutPipes(text: string): string {
  if (!/^\||\|$|\s\||\|\s|[。；]\|/.test(text)) return text;
  const separator = /\p{sc=Han}/u.test(text) ? '；' : '; ';
  return text
    .split('|')
    .map((part) => part.trim().replace(/[；;]$/, ''))
    .filter((part) => /[\p{L}\p{N}]/u.test(part))
    .join(separator);
}
