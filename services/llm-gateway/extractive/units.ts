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
const headingLine = /^[ \t]{0,3}#{1,6}[ \t]+(.*?)[ \t]*#*$/;
const boldLine = /^[ \t]*\*\*([^*]{1,80})\*\*[：:]?[ \t]*$/;
/** 三、发货 */
const chineseHeading = /^[一二三四五六七八九十]{1,3}、[^。，；：！？\n]{1,24}$/;
const listMarker = /^[ \t]*(?:[-*+•·][ \t]+|\(?(\d{1,3})[.)](?=\s|\p{sc=Han})[ \t]*|(\d{1,3})、|[（(]([\d一二三四五六七八九十]{1,3})[)）])/u;
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
    if (unit.text === '' || !/[\p{L}\p{N}]/u.test(unit.text)) return;
    units.push({ block, heading, leadIndex: lead, number: undefined, ...unit });
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
        header = cellsOf(raw);
        inTable = true;
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
    if (last?.kind === 'step' && !isParagraph && last.block === block) {
      // The step goes on: its next sentence, or a line that hangs below its marker.
      last.text = join(last.text, plain);
      continue;
    }
    if (isParagraph || last?.kind === 'step') {
      block += 1;
      lead = undefined;
    }
    if (questionEnd.test(plain) && plain.length <= 80 && isParagraph) {
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

/** Two sentences after one another, as the language writes them. */
export function join(before: string, after: string): string {
  const isTight = /[\p{sc=Han}。！？；：，、”）】》]$/u.test(before);
  return before === '' || isTight ? before + after : `${before} ${after}`;
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
      if (cell === '') return [];
      const name = header[index] ?? '';
      return [name === '' || name === cell ? cell : `${name}${colon}${cell}`];
    })
    .join(semicolon);
}
