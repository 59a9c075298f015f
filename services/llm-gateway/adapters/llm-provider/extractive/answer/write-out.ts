import { gapAfter } from '../passage/units.ts';
import type { Question } from '../question/question.ts';
import type { Candidate } from '../rank/evidence.ts';
import { type Quotation, textOf } from './quotation.ts';

/** The position of the writer: the text before, and whether it was a line by itself. */
interface Writer {
  pieces: string[];
  before: string;
  wasLine: boolean;
  /** Whether it was an item of a list: what follows without a blank line would belong to the item. */
  wasItem: boolean;
  isStarted: boolean;
}

/** Said before quotations in the other language. */
export const FOREIGN_NOTE = { zh: '资料中只有英文内容：', en: 'Only a document in Chinese answers this:' } as const;

/** Returns quotations as pieces of text to send one after another, each unit with its marker [n]: the n-th passage, from 1. */
export function writeOut(question: Question, quotations: readonly Quotation[], isContinued: boolean): string[] {
  const writer: Writer = { pieces: [], before: '', wasLine: isContinued, wasItem: isContinued, isStarted: isContinued };
  // Quotations of one answer are in one language.
  if (quotations.some(({ candidates }) => candidates.some(({ source }) => source.isForeign))) {
    write(writer, FOREIGN_NOTE[question.language], true);
  }
  for (const quotation of quotations) writeQuotation(writer, question, quotation);
  return writer.pieces;
}

function writeQuotation(writer: Writer, question: Question, { heading, candidates, date }: Quotation): void {
  const isList = candidates.filter(({ unit }) => unit.kind !== 'sentence').length > 1;
  const head = withoutMarkers(heading);
  if (isList && head !== '') write(writer, withColon(head), true);
  for (const [at, candidate] of candidates.entries()) {
    const { kind } = candidate.unit;
    const isLine = kind === 'code' || (isList && kind !== 'sentence');
    const text = kind === 'code' ? fenced(candidate.unit.text) : withoutMarkers(textOf(candidate, question));
    const headed = at === 0 && !isList && head !== '' ? joinHead(head, text) : text;
    const isLast = at + 1 === candidates.length;
    const body = date !== undefined && isLast && kind !== 'code' ? dated(headed, date) : headed;
    // A line that introduces the next one is one sentence with it, and the marker is at the end.
    const isLead = !isLast && (/[：:]$/.test(body) || candidates[at + 1]?.unit.leadIndex === candidate.index);
    write(
      writer,
      isLead ? withColon(body) : withMarker(candidate, body, isLine),
      isLine,
      isLead ? withColon(body) : body,
    );
  }
}

const listItem = /^(?:-|\d+\.) /;

function write(writer: Writer, piece: string, isLine: boolean, body = piece): void {
  const isItem = isLine && listItem.test(piece);
  const line = writer.wasItem && !isItem ? '\n\n' : '\n';
  const gap = !writer.isStarted ? '' : isLine || writer.wasLine ? line : gapBetween(writer.before, body);
  writer.pieces.push(gap + piece);
  writer.before = body;
  writer.wasLine = isLine;
  writer.wasItem = isItem;
  writer.isStarted = true;
}

/** Returns a text with the date of its document, as a part of its last sentence. */
function dated(text: string, date: string): string {
  const [, body = text, end = ''] = /^(.*?)([。.!！?？]?)$/s.exec(text) ?? [];
  return /\p{sc=Han}/u.test(text) ? `${body}（${date}）${end}` : `${body} (${date})${end}`;
}

function withColon(text: string): string {
  if (/[：:？?]$/.test(text)) return text;
  return /\p{sc=Han}/u.test(text) ? `${text}：` : `${text}:`;
}

function joinHead(head: string, text: string): string {
  const start = withColon(head);
  return /[：？]$/.test(start) ? start + text : `${start} ${text}`;
}

/** Returns a quoted text with its bullet or number, if it is a line of a list, and with its marker. */
function withMarker({ unit, source }: Candidate, body: string, isLine: boolean): string {
  const marker = `[${source.rank + 1}]`;
  if (unit.kind === 'code') return `${body}\n${marker}`;
  const bullet = !isLine ? '' : unit.number === undefined ? '- ' : `${unit.number}. `;
  return `${bullet}${ended(body)}${gapAfter(ended(body))}${marker}`;
}

/** Returns the separator of two texts. A marker directly before a round bracket would be a link. */
function gapBetween(before: string, after: string): '' | ' ' {
  return after.startsWith('(') ? ' ' : gapAfter(before);
}

function ended(text: string): string {
  if (/[。！？.!?…：:”"’）)】》]$/.test(text)) return text;
  const open = text.replace(/[；;，,、]+$/, '');
  return /\p{sc=Han}/u.test(open) ? `${open}。` : `${open}.`;
}

/** Returns the text without anything that looks like a marker, or hides one: [3] in a document is a footnote. */
export function withoutMarkers(text: string): string {
  return text.replace(/[[【](\s*\d{1,6}(?:\s*[,，、]\s*\d{1,6})*\s*)[\]】]/g, '($1)').replaceAll('`', '');
}

/** Returns code in a fence that the code cannot close. */
function fenced(code: string): string {
  const longest = Math.max(2, ...(code.match(/`+/g) ?? []).map((run) => run.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}\n${code}\n${fence}`;
}
