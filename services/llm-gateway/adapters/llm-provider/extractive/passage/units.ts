import { splitSentences } from '#kit/text/sentences.ts';
import { visibleText } from '#kit/text/visible/visible-text.ts';
import { toPlainText } from './plain-text.ts';

/** A part of a passage that can be quoted by itself. */
export interface Unit {
  kind: 'sentence' | 'step' | 'row' | 'code' | 'heading';
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
  /** Cells of a row, each with the name of its column; empty for all others. */
  cells: readonly Cell[];
}

/** A cell of a table. */
export interface Cell {
  /** Name of its column; empty: it has none. */
  name: string;
  value: string;
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
/** A heading that says something: "Ticket price: 12 coins", 门票：40 元. */
const statement = /[^\s：:]\s{0,2}[：:]\s{0,2}[^\s：:/]/u;
/** A bold beginning of a line heads the line: a question and its answer. */
const boldStart = /^([ \t]*)\*\*([^*\n]{2,120})\*\*[ \t]*(?:[–—:：][ \t]*)?(?=[^\s*|])/gm;
/** Longest line without a full stop that heads the list below it. */
const maxLabel = 60;
const boldMark = '\u0001';
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
  /** A line without a full stop, which heads a list if one follows. */
  labelIndex: number | undefined;
  /** Lines of the code that the reader is in. */
  code: string[] | undefined;
  /** Names of the columns of the table that the reader is in; empty: it has none. */
  header: string[] | undefined;
}

/** Returns the units of a passage's text (Markdown or plain), in order. Headings, rules and front matter are never units. */
export function readUnits(text: string): Unit[] {
  const source = visibleText(text.replace(frontMatter, '')).replace(boldStart, `$1${boldMark}$2\n\n`);
  const reader: Reader = {
    units: [],
    block: 0,
    heading: '',
    isQuestion: false,
    leadIndex: undefined,
    labelIndex: undefined,
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
  const { units, block, heading } = reader;
  const leadIndex = reader.leadIndex ?? (unit.kind === 'step' ? reader.labelIndex : undefined);
  const text = unit.kind === 'code' ? unit.text : withoutPipes(unit.text);
  // A step that is a question belongs to a table of contents.
  if (!/[\p{L}\p{N}]/u.test(text) || (unit.kind === 'step' && questionEnd.test(text))) return;
  units.push({ block, heading, leadIndex, number: undefined, cells: [], ...unit, text });
}

function startBlock(reader: Reader): void {
  reader.block += 1;
  reader.leadIndex = undefined;
  reader.labelIndex = undefined;
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
    if (!tableRule.test(raw)) pushRow(reader, cellsOf(raw));
    return true;
  }
  reader.block += 1;
  // Without a rule below it, the first line is a normal row.
  const hasHeader = ruleBelow.test(rest);
  reader.header = hasHeader ? cellsOf(raw) : [];
  if (!hasHeader) pushRow(reader, cellsOf(raw));
  return true;
}

function pushRow(reader: Reader, values: readonly string[]): void {
  const cells = toCells(reader.header ?? [], values);
  push(reader, { kind: 'row', text: rowText(cells), cells });
}

function readHeading(reader: Reader, { raw }: Piece): boolean {
  const bold = raw.startsWith(boldMark) ? raw.slice(boldMark.length) : undefined;
  if (bold !== undefined) {
    startBlock(reader);
    reader.heading = toPlainText(bold).replace(/[.。]$/, '');
    reader.isQuestion = true;
    return true;
  }
  const title = headingLine.exec(raw)?.[1] ?? boldLine.exec(raw)?.[1] ?? chineseHeading.exec(raw)?.[0];
  if (title === undefined) return false;
  reader.heading = toPlainText(title);
  reader.isQuestion = false;
  startBlock(reader);
  if (statement.test(reader.heading) && !/^[\p{L}\d-]*\d[\p{L}\d-]*\s/u.test(reader.heading)) {
    push(reader, { kind: 'heading', text: reader.heading });
  }
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
  const before = reader.units.length;
  push(reader, { kind: 'sentence', text });
  if (reader.units.length === before) return;
  reader.leadIndex = leadEnd.test(text) ? before : undefined;
  const isLabel = isLine && text.length <= maxLabel && !/[\p{P}]$/u.test(text);
  reader.labelIndex = isLabel ? before : undefined;
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

/** A cell that has the name of its column in it, as tables are indexed: "Zone: D". */
const named = /^([^：:]{1,60})[：:]\s?(?=\S)(.*)$/s;

function toCells(header: readonly string[], values: readonly string[]): Cell[] {
  return values.flatMap((cell, index) => {
    const value = cell.replace(/[。；;.]$/, '');
    if (value === '') return [];
    const column = header[index] ?? '';
    if (column !== '') return { name: column === cell ? '' : column, value };
    const [, name, rest] = header.length === 0 ? (named.exec(value) ?? []) : [];
    return name === undefined || rest === undefined ? { name: '', value } : { name: name.trim(), value: rest };
  });
}

/** Returns the text of cells without their table: each after the name of its column. */
export function rowText(cells: readonly Cell[]): string {
  const isChinese = cells.some(({ name, value }) => /\p{sc=Han}/u.test(name + value));
  const [colon, semicolon] = isChinese ? ['：', '；'] : [': ', '; '];
  return cells.map(({ name, value }) => (name === '' ? value : `${name}${colon}${value}`)).join(semicolon);
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
