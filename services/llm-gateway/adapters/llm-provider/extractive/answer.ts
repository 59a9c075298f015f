import type { Passage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { normalizeText } from '#kit/text/normalize.ts';
import { type ReadPassageText, readPassageText } from './passage-texts.ts';
import { type Question, readQuestion } from './question.ts';
import { type Scored, type ScoredUnit, scoreEvidence } from './score.ts';
import { gapAfter } from './units.ts';

/** An answer that quotes the evidence, or a refusal. */
export interface ExtractiveAnswer {
  isRefusal: boolean;
  /** The text of the answer, in pieces to send one after another. */
  pieces: readonly string[];
}

/**
 * Least support of a unit that answers a question. Measured on questions with and without their answer in the evidence: see the
 * README.
 */
const minSupport = { zh: 0.36, en: 0.42 } as const;
/** Another quotation needs at least this share of the score of the first one … */
const minShare = 0.76;
/** … or this share, for another row or step of the same table or list, because the question asks for one of them … */
const minSiblingShare = 0.93;
/** … and shares at most this part of its character pairs with an earlier quotation. */
const maxOverlap = 0.6;
/** Largest number of quotations, and of units in all of them: a list is one quotation of many units. */
const maxQuotations = 3;
const maxUnits = 4;
/** A shorter line above a list ("Rules:") says nothing about a single item. */
const minLeadLength = 10;
/** Longest list that is quoted as a whole. */
const maxSteps = 10;
/** Longest quotation, in UTF-16 code units. */
const maxLength = 1200;

const refusals = {
  zh: '现有资料中没有找到能回答这个问题的内容。',
  en: 'The available documents do not answer this question.',
} as const;

/**
 * Answers a question with quotations of the evidence. Each ends with its marker [n], the n-th passage from 1. `readText` may know
 * passages from earlier questions.
 */
export function answerByQuoting(
  text: string,
  evidence: readonly Passage[],
  language?: 'zh' | 'en',
  readText: ReadPassageText = readPassageText,
): ExtractiveAnswer {
  const question = readQuestion(text, language);
  const scored = scoreEvidence(question, evidence, readText);
  const quotations = question.terms.length === 0 ? [] : chooseQuotations(question, scored);
  if (quotations.length === 0) return { isRefusal: true, pieces: [refusals[question.language]] };
  return { isRefusal: false, pieces: writeOut(quotations) };
}

/** Units to quote together, in the order of their passage. */
type Quotation = readonly ScoredUnit[];

function chooseQuotations(question: Question, { passages }: Scored): Quotation[] {
  const ranked = passages.flat().sort((a, b) => b.score - a.score || a.passage - b.passage || a.index - b.index);
  const best = ranked.find(({ support }) => support >= minSupport[question.language]);
  if (best === undefined || best.score < minShare * (ranked[0]?.score ?? 0)) return [];
  const quote = (unit: ScoredUnit) => withContext(question, unit, passages[unit.passage] as readonly ScoredUnit[]);
  const chosen: Quotation[] = [quote(best)];
  let count = chosen.flat().length;
  for (const candidate of ranked) {
    if (chosen.length >= maxQuotations || candidate.score < minShare * best.score) break;
    if (!addsTo(question, best, candidate) || chosen.flat().includes(candidate)) continue;
    const quotation = quote(candidate);
    if (count + quotation.length > maxUnits || isRepeat(quotation, chosen)) continue;
    chosen.push(quotation);
    count += quotation.length;
  }
  return chosen;
}

/** Returns whether another unit is worth quoting beside the best one. */
function addsTo({ terms, language }: Question, best: ScoredUnit, candidate: ScoredUnit): boolean {
  if (candidate.support < minSupport[language]) return false;
  // Beside the row or step about E-07, the one about E-04 is noise.
  if (terms.some(({ isExact }, at) => isExact && best.own[at] === 1 && candidate.own[at] !== 1)) return false;
  const isSibling =
    candidate.passage === best.passage && candidate.unit.block === best.unit.block && best.unit.kind !== 'sentence';
  return candidate.score >= (isSibling ? minSiblingShare : minShare) * best.score;
}

/** Returns a unit with the context that it needs to be understood. */
function withContext(question: Question, chosen: ScoredUnit, units: readonly ScoredUnit[]): Quotation {
  const { unit, index } = chosen;
  const list = listOf(question, chosen, units);
  if (list !== undefined) return list;
  const lead = unit.leadIndex === undefined ? undefined : units[unit.leadIndex];
  if (unit.kind === 'step' && lead !== undefined && lead.unit.text.length >= minLeadLength) return [lead, chosen];
  if (unit.kind !== 'sentence') return [chosen];
  const before = units[index - 1];
  const after = units[index + 1];
  const quotation = [chosen];
  if (before !== undefined && refersBack.test(unit.text) && isSameText(before, chosen)) quotation.unshift(before);
  const isShort = unit.text.length < 16;
  if (after !== undefined && (isShort || turnsBack.test(after.unit.text)) && isSameText(chosen, after))
    quotation.push(after);
  return quotation;
}

/** Sentences that refer to the sentence before. */
const refersBack =
  /^(?:其(?!他|它|余|中)|该|此|这(?!里)|它|他们?|她们?|届时|否则|逾期|(?:it|this|these|those|they|he|she|its|their|his|her|such|otherwise|then)\b)/i;
/** Sentences that limit the sentence before. */
const turnsBack = /^(?:但|不过|然而|除|例外|否则|(?:but|however|except|unless|otherwise|exceptions?)\b)/i;

function isSameText(a: ScoredUnit, b: ScoredUnit): boolean {
  return a.unit.block === b.unit.block && a.unit.kind === 'sentence' && b.unit.kind === 'sentence';
}

/** Returns the whole list if the question asks for it: for steps, or for what the line above the list announces. */
function listOf(question: Question, chosen: ScoredUnit, units: readonly ScoredUnit[]): Quotation | undefined {
  const { unit, index } = chosen;
  const isLead = units[index + 1]?.unit.leadIndex === index;
  const leadIndex = isLead ? index : unit.leadIndex;
  const wanted = isLead || (unit.kind === 'step' && question.wants === 'steps' && unit.number !== undefined);
  if (!wanted) return undefined;
  const block = isLead ? units[index + 1]?.unit.block : unit.block;
  const items = units.filter((other) => other.unit.block === block && other.unit.kind !== 'sentence');
  const lead = leadIndex === undefined ? undefined : units[leadIndex];
  const list = lead === undefined ? items : [lead, ...items];
  const length = list.reduce((sum, { unit: { text } }) => sum + text.length, 0);
  return items.length <= maxSteps && length <= maxLength ? list : undefined;
}

function isRepeat(quotation: Quotation, chosen: readonly Quotation[]): boolean {
  const pairs = pairsOf(quotation);
  return chosen.some((other) => {
    const known = pairsOf(other);
    const shared = [...pairs].filter((pair) => known.has(pair)).length;
    return shared > maxOverlap * Math.min(pairs.size, known.size);
  });
}

function pairsOf(quotation: Quotation): ReadonlySet<string> {
  const text = normalizeText(quotation.map(({ unit }) => unit.text).join(' ')).replace(/[^\p{L}\p{N}]+/gu, '');
  const pairs = new Set<string>();
  for (let index = 1; index < text.length; index++) pairs.add(text.slice(index - 1, index + 1));
  return pairs;
}

function writeOut(quotations: readonly Quotation[]): string[] {
  const pieces: string[] = [];
  let before = '';
  let wasLine = false;
  for (const quotation of quotations) {
    const isList = quotation.filter(({ unit }) => unit.kind !== 'sentence').length > 1;
    for (const [at, scored] of quotation.entries()) {
      const { kind, text } = scored.unit;
      const isLine = kind === 'code' || (isList && kind !== 'sentence');
      const body = kind === 'code' ? fenced(text) : withoutMarkers(text);
      const gap = pieces.length === 0 ? '' : isLine || wasLine ? '\n' : gapBetween(before, body);
      // A line that introduces the next one is one sentence with it, and the marker is at the end.
      const isLead = /[：:]$/.test(body) && at + 1 < quotation.length;
      pieces.push(gap + (isLead ? body : withMarker(scored, body, isLine)));
      before = body;
      wasLine = isLine;
    }
  }
  return pieces;
}

/** Returns a quoted text with its bullet or number, if it is a line of a list, and with its marker. */
function withMarker({ unit, passage }: ScoredUnit, body: string, isLine: boolean): string {
  const marker = `[${passage + 1}]`;
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
function withoutMarkers(text: string): string {
  return text.replace(/[[【](\s*\d{1,6}(?:\s*[,，、]\s*\d{1,6})*\s*)[\]】]/g, '($1)').replaceAll('`', '');
}

/** Returns code in a fence that the code cannot close. */
function fenced(code: string): string {
  const longest = Math.max(2, ...(code.match(/`+/g) ?? []).map((run) => run.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}\n${code}\n${fence}`;
}
