import { foldTraditional } from '#kit/text/han-variants.ts';
import { normalizeText } from '#kit/text/normalize.ts';
import { negates } from '../passage/negating.ts';
import { rowText, type Unit } from '../passage/units.ts';
import { showsKind } from '../question/kinds.ts';
import { isBrief, type Question } from '../question/question.ts';
import { type Candidate, maxParagraphLength } from '../rank/evidence.ts';

/** What is quoted of a passage: units in its order, below what gives them their meaning. */
export interface Quotation {
  /** The heading or question that the units belong to; empty: they are understood without it. */
  heading: string;
  candidates: readonly Candidate[];
  /** When the document was updated, if it is quoted in place of an older one: 2026-05-20. */
  date?: string;
}

/** Longest list that is quoted as a whole, in items and in UTF-16 code units. */
const maxItems = 12;
const maxLength = 1200;
/** Longest answer of a question in a document that is quoted as a whole, in columns. */
const maxAnswer = 640;
/** A shorter sentence is shown with its heading. */
const minLength = 16;

/** Returns a unit with the context that it needs to be understood. */
export function quoteWithContext(question: Question, chosen: Candidate): Quotation {
  const { unit, source } = chosen;
  const list = listOf(question, chosen);
  const candidates = list ?? withNeighbours(question, chosen);
  const lead = unit.leadIndex === undefined ? undefined : source.candidates[unit.leadIndex];
  const withLead =
    list === undefined && lead !== undefined && unit.kind !== 'sentence' ? [lead, ...candidates] : candidates;
  return { heading: headingOf(chosen, withLead, list !== undefined), candidates: withLead };
}

function headingOf(chosen: Candidate, candidates: readonly Candidate[], isList: boolean): string {
  const { unit, source } = chosen;
  const { passage } = source;
  const heading = unit.heading || (passage.headingPath.at(-1) ?? '');
  if (unit.kind === 'heading' || unit.kind === 'code') return '';
  if (/[？?]$/.test(heading)) return heading;
  // The title of a question in a list of questions.
  if (heading === '' && /[？?]$/.test(passage.title)) return passage.title;
  if (heading === '' || heading === passage.title) {
    return negates(passage.title) && unit.kind !== 'sentence' ? passage.title : '';
  }
  const hasLead = candidates[0]?.index === unit.leadIndex;
  if (negates(heading)) return heading;
  const text = candidates.map((one) => one.unit.text).join('');
  const isBare = unit.kind === 'step' || unit.kind === 'row' || text.length < minLength;
  return isBare && !hasLead && !(isList && chosen.unit.number !== undefined) ? heading : '';
}

/** Sentences that refer to the sentence before. */
const refersBack =
  /^(?:其(?!他|它|余|中)|该|此|这(?!里)|它|他们?|她们?|届时|否则|逾期|之后|超过(?!\d)|(?:it|this|these|those|they|he|she|its|their|his|her|such|otherwise|then|later|after that|afterwards)\b)/i;
/** Sentences that limit the sentence before. */
const turnsBack =
  /^(?:但|不过|然而|除|例外|否则|逾期|超过|(?:but|however|except|unless|otherwise|exceptions?|later|after that)\b)/i;

function withNeighbours({ wants }: Question, chosen: Candidate): Candidate[] {
  const { unit, source, index } = chosen;
  if (unit.kind !== 'sentence') return [chosen];
  const { candidates } = source;
  const whole = candidates.filter((other) => other.unit.block === unit.block && other.unit.kind === 'sentence');
  const length = source.text.lengths[unit.block] ?? 0;
  if (length <= (isAnswer(chosen) ? maxAnswer : wants === 'money' ? 0 : maxParagraphLength)) return whole;
  const before = candidates[index - 1];
  const after = candidates[index + 1];
  const quotation = [chosen];
  const isSame = (other: Candidate | undefined) =>
    other !== undefined && other.unit.block === unit.block && other.unit.kind === 'sentence';
  if (isSame(before) && refersBack.test(unit.text)) quotation.unshift(before as Candidate);
  if (isSame(after) && (unit.text.length < minLength || turnsBack.test((after as Candidate).unit.text))) {
    quotation.push(after as Candidate);
  }
  return quotation;
}

/** Whether a unit answers a question of its document. */
function isAnswer({ unit, source }: Candidate): boolean {
  return /[？?]$/.test(unit.heading) || (unit.heading === '' && /[？?]$/.test(source.passage.title));
}

/**
 * Returns the whole list if the question asks for it: for steps, for what the line above the list announces, or shortly for what all of its
 * items have: 票价 for the prices of all tickets.
 */
function listOf(question: Question, chosen: Candidate): Candidate[] | undefined {
  const { unit, index, source } = chosen;
  const { candidates } = source;
  const isLead = candidates[index + 1]?.unit.leadIndex === index && candidates[index + 1]?.unit.kind !== 'sentence';
  const isItem = unit.kind === 'step' || unit.kind === 'row';
  const isSame = isItem && isBrief(question) && isLikeItsSiblings(question, chosen);
  const wanted =
    isLead ||
    isFirstStep(chosen) ||
    (isItem && (question.form !== 'fact' || (unit.kind === 'step' && question.wants === 'steps')));
  if (!wanted && !isSame) return undefined;
  if (isItem && unit.kind === 'row' && question.form === 'list' && !isSame) return undefined;
  const block = isLead ? candidates[index + 1]?.unit.block : unit.block;
  const items = candidates.filter(
    (other) =>
      other.unit.block === block && other.unit.kind === (isLead ? candidates[index + 1]?.unit.kind : unit.kind),
  );
  const leadIndex = isLead ? index : unit.leadIndex;
  const lead = leadIndex === undefined ? undefined : candidates[leadIndex];
  const list = lead === undefined ? items : [lead, ...items];
  const length = list.reduce((sum, other) => sum + other.unit.text.length, 0);
  return items.length <= maxItems && length <= maxLength ? list : undefined;
}

/** Returns whether a unit is the first of numbered steps: alone it says how to begin, and not how to end. */
function isFirstStep({ unit, source, index }: Candidate): boolean {
  const next = source.candidates[index + 1]?.unit;
  return unit.number === 1 && next?.block === unit.block && next.number === 2;
}

/** Returns whether a question has no word for one item of a list or table: each has as much of it. */
function isLikeItsSiblings({ terms, wants }: Question, { unit, source, own }: Candidate): boolean {
  const siblings = source.candidates.filter(
    (other) => other.unit.block === unit.block && other.unit.kind === unit.kind,
  );
  if (siblings.length < 2) return false;
  const isAlike = (other: Candidate) =>
    terms.every((_, at) => Math.abs((other.own[at] as number) - (own[at] as number)) < 0.3);
  const shows = (other: Candidate) => wants === undefined || wants === 'steps' || showsKind(wants, other.text.plain);
  return siblings.filter((other) => isAlike(other) && shows(other)).length > siblings.length / 2;
}

/** Returns the text of a row with the one column that the question names, if it names one; otherwise the whole text of a unit. */
export function textOf({ unit }: Candidate, { plain }: Question): string {
  const [label, ...cells] = unit.cells;
  if (label === undefined || cells.length < 2) return unit.text;
  const names = cells.map(({ name }) => normalizeText(name, foldTraditional));
  if (negates(plain) || names.some((name) => name === '' || negates(name))) return unit.text;
  const said = cells.filter((_, at) => plain.includes(names[at] as string));
  return said.length === 1 ? rowText([label, said[0] as Unit['cells'][number]]) : unit.text;
}
