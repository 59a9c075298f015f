import { splitSentences } from '#kit/text/sentences.ts';
import { toPlainText } from './plain-text.ts';

/** A piece of a passage that can be quoted by itself. */
export interface Unit {
  kind: 'sentence' | 'step' | 'row' | 'code';
  /** As a reader sees it: no markup, on one line (code: as it is). Never empty. */
  text: string;
  /** Paragraph, list or table that it belongs to, from 0. */
  block: number;
  /** What the author put above it to say what it is about: a heading inside the passage, or the question of a FAQ. */
  heading: string;
  /** The line that leads its list or table in ("Within 15 days:"); index of that unit, or undefined. */
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

/** Cuts a passage's text (Markdown or plain) into units, in order. Headings, rules and front matter are never units. */
export function readUnits(text: string): Unit[] {
  const units: Unit[] = [];
  const source = text.replace(frontMatter, '');
  let heading = '';
  let isQuestion = false;
  let block = 0;
  let lead: number | undefined;
  let header: string[] | undefined;
  let code: string[] | undefined;
  let inTable = false;
  let lastEnd = 0;

  const push = (unit: Pick<Unit, 'kind' | 'text'> & Partial<Unit>) => {
    const text = unit.kind === 'code' ? unit.text : withoutPipes(unit.text);
    // A step that is a question belongs to a table of contents.
    if (!/[\p{L}\p{N}]/u.test(text) || (unit.kind === 'step' && questionEnd.test(text))) return;
    units.push({ block, heading, leadIndex: lead, number: undefined, ...unit, text });
  };
  for (const { start, end } of splitSentences(source)) {
    const raw = source.slice(start, end);
    if (code !== undefined) {
      if (fence.test(raw)) {
        push({ kind: 'code', text: code.join('\n') });
        code = undefined;
      } else code.push(raw);
      lastEnd = end;
      continue;
    }
    const between = source.slice(lastEnd, start);
    const isParagraph = /\n[ \t]*\n/.test(between);
    lastEnd = end;
    if (tableLine.test(raw)) {
      if (!inTable) {
        block += 1;
        inTable = true;
        // Without a rule below it, the first line is a row like the others, with its header in its cells or none at all.
        header = ruleBelow.test(source.slice(end)) ? cellsOf(raw) : undefined;
        if (header === undefined) push({ kind: 'row', text: rowText([], cellsOf(raw)) });
      } else if (!tableRule.test(raw)) push({ kind: 'row', text: rowText(header ?? [], cellsOf(raw)) });
      continue;
    }
    if (inTable) {
      inTable = false;
      block += 1;
      lead = undefined;
    }
    if (fence.test(raw)) {
      code = [];
      block += 1;
      continue;
    }
    const title = headingLine.exec(raw)?.[1] ?? boldLine.exec(raw)?.[1] ?? chineseHeading.exec(raw)?.[0];
    if (title !== undefined) {
      heading = toPlainText(title);
      isQuestion = false;
      block += 1;
      lead = undefined;
      continue;
    }
    const marker = listMarker.exec(raw);
    const plain = toPlainText(marker === null ? raw.replace(/^[ \t]*>[ \t]?/gm, '') : raw.slice(marker[0].length));
    if (marker !== null) {
      const number = Number(marker[1] ?? marker[2] ?? Number.NaN);
      push({ kind: 'step', text: plain, number: Number.isNaN(number) ? undefined : number });
      continue;
    }
    const last = units.at(-1);
    if (last?.kind === 'step' && last.block === block && /^[^\n]*$|\n[ \t]+$/.test(between)) {
      // The step goes on: its next sentence, or a line that hangs below its marker.
      last.text += gapAfter(last.text) + plain;
      continue;
    }
    if (isParagraph || last?.kind === 'step') {
      block += 1;
      lead = undefined;
    }
    const isLine = (start === 0 || between.includes('\n')) && (end === source.length || source[end] === '\n');
    if (questionEnd.test(plain) && isLine) {
      heading = plain;
      isQuestion = true;
      lead = undefined;
      continue;
    }
    // A question is answered by the paragraph below it; what comes after is about something else.
    if (isQuestion && isParagraph && units.at(-1)?.heading === heading) {
      heading = '';
      isQuestion = false;
    }
    push({ kind: 'sentence', text: plain });
    lead = leadEnd.test(plain) ? units.length - 1 : undefined;
  }
  if (code !== undefined) push({ kind: 'code', text: code.join('\n') });
  return units;
}

/** What stands between a sentence and what follows it, as its language writes: nothing after Chinese, else a space. */
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

/** A row so that it reads without its table: each cell after the name of its column. */
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

/** A table that is broken over lines leaves its bars in the text. */
function withoutPipes(text: string): string {
  if (!/^\||\|$|\s\||\|\s|[。；]\|/.test(text)) return text;
  const separator = /\p{sc=Han}/u.test(text) ? '；' : '; ';
  return text
    .split('|')
    .map((part) => part.trim().replace(/[；;]$/, ''))
    .filter((part) => /[\p{L}\p{N}]/u.test(part))
    .join(separator);
}
