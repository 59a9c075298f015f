import { Language, type Passage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { matchTerm, type SearchText } from './match.ts';
import { type PassageText, type ReadPassageText, readPassageText } from './passage-texts.ts';
import { type Question, showsKind, type Term } from './question.ts';
import type { Unit } from './units.ts';

/** A unit of a passage with its score for the question. */
export interface ScoredUnit {
  unit: Unit;
  /** Its passage, from 0. */
  passage: number;
  /** Its place in the passage, from 0. */
  index: number;
  /** Share of the question that it covers, by weight of words, 0 to 1: its own words in full, words around it in part. */
  support: number;
  /** Support, adjusted by the kind of answer and the rank of the passage; 0 or more. */
  score: number;
  /** How well it matches each term of the question by itself, in order, 0 to 1. */
  own: readonly number[];
}

/** Units of all passages, scored. */
export interface Scored {
  passages: readonly (readonly ScoredUnit[])[];
  /** Weight of each term of the question. */
  weights: readonly number[];
}

/** Bounds of a passage and of all passages, in UTF-16 code units: far more than a prompt has, and about 15 ms of work. */
const maxPassageLength = 8192;
const maxEvidenceLength = 65_536;

/** Weight of a word that is not in the unit but … */
const context = { lead: 0.85, heading: 0.9, title: 0.6, neighbour: 0.45, passage: 0.1 } as const;

/** Support of a unit in another language that has all codes and years of the question: its words cannot be compared. */
const foreignSupport = 0.6;
/** Factor of an answer from a passage that lacks a code or year of the question. */
const otherCodeFactor = 0.6;

/** A passage with its matches of a question. */
interface ReadPassage {
  text: PassageText;
  /** By unit, by term. */
  own: readonly (readonly number[])[];
  /** By term: in its title, in the headings above it, and anywhere in its text. */
  inTitle: readonly number[];
  inPath: readonly number[];
  anywhere: readonly number[];
  isForeign: boolean;
  /** Score of the earlier stages, 0 to 1: by rank, because the meaning of their scores differs. */
  prior: number;
}

/** Returns the units of the evidence with their scores for a question. */
export function scoreEvidence(
  question: Question,
  evidence: readonly Passage[],
  readText: ReadPassageText = readPassageText,
): Scored {
  let left = maxEvidenceLength;
  const read = evidence.map((passage, rank) => {
    const text = passage.text.slice(0, Math.min(maxPassageLength, left));
    left -= text.length;
    const known = readText(passage.title, passage.headingPath.join(' '), text);
    return readPassage(question, known, passage.language, 1 - rank / evidence.length);
  });
  const weights = weigh(question.terms, read);
  // Another language is a fallback: only if no passage in the language of the question names its codes.
  const isCovered = read.some(
    ({ isForeign, anywhere, inTitle }) =>
      !isForeign && question.terms.every(({ isExact }, at) => !isExact || anywhere[at] === 1 || inTitle[at] === 1),
  );
  const passages = read.map((passage, at) =>
    passage.text.units.map((unit, index): ScoredUnit => {
      const support = supportOf(question, weights, passage, index, !isCovered);
      const shape = shapeFactor(question, unit, passage.text.texts[index] as SearchText);
      const score = support * shape * (0.35 + 0.65 * passage.prior);
      return { unit, passage: at, index, support, score, own: passage.own[index] as readonly number[] };
    }),
  );
  return { passages, weights };
}

function readPassage({ terms, language }: Question, text: PassageText, given: Language, prior: number): ReadPassage {
  const own = text.texts.map((unit) => terms.map((term) => matchTerm(term, unit)));
  const written = given || (text.language === 'zh' ? Language.ZH : Language.EN);
  return {
    text,
    own,
    inTitle: terms.map((term) => matchTerm(term, text.title)),
    inPath: terms.map((term) => matchTerm(term, text.path)),
    anywhere: terms.map((_, at) => Math.max(0, ...own.map((match) => match[at] as number))),
    isForeign: written !== (language === 'zh' ? Language.ZH : Language.EN),
    prior,
  };
}

function supportOf(
  { terms }: Question,
  weights: readonly number[],
  passage: ReadPassage,
  index: number,
  takesForeign: boolean,
): number {
  const { text, own, inTitle, inPath, anywhere, isForeign } = passage;
  const { units } = text;
  const unit = units[index] as Unit;
  const mine = own[index] as readonly number[];
  const heading = text.headings[index];
  const lead = unit.leadIndex === undefined ? undefined : own[unit.leadIndex];
  const beside = [index - 1, index + 1].filter((at) => units[at]?.block === unit.block).map((at) => own[at]);
  let found = 0;
  let total = 0;
  let exactFound = 0;
  let exactTotal = 0;
  let isOther = false;
  for (const [at, term] of terms.entries()) {
    const weight = weights[at] as number;
    const inHeading = Math.max(inPath[at] as number, heading === undefined ? 0 : matchTerm(term, heading));
    const near = Math.max(mine[at] as number, context.lead * (lead?.[at] ?? 0), context.heading * inHeading);
    const best = Math.max(
      near,
      context.title * (inTitle[at] as number),
      ...beside.map((match) => context.neighbour * (match?.[at] ?? 0)),
      context.passage * (anywhere[at] as number),
    );
    found += weight * best;
    total += weight;
    if (!term.isExact) continue;
    exactFound += weight * near;
    exactTotal += weight;
    if (best === 0) isOther = true;
  }
  const support = (found / (total || 1)) * (isOther ? otherCodeFactor : 1);
  if (!isForeign || !takesForeign || isOther || exactTotal === 0) return support;
  return Math.max(support, (foreignSupport * exactFound) / exactTotal);
}

/** Smallest number of units for a frequency: with fewer, a word of one unit would seem as common as a word of all. */
const minUnits = 200;
/** Returns the weight of each term: higher if it is rare among the units. A term in no unit has the highest weight, so that its absence counts against an answer. */
function weigh(terms: readonly Term[], passages: readonly ReadPassage[]): number[] {
  const units = passages.flatMap(({ own }) => own);
  return terms.map(({ weight }, at) => {
    const holders = units.reduce((sum, own) => sum + (own[at] as number), 0);
    return weight * Math.log(1 + (Math.max(units.length, minUnits) - holders + 0.5) / (holders + 0.5));
  });
}

/** A sentence that names the topic of the page without content. */
const aboutItself =
  /^(?:本(?:文|章|节|页|主题|文档)[^，。]{0,8}(?:介绍|说明|描述|讲述|适用)|this (?:topic|section|article|document|page|chapter|guide) (?:describes|explains|introduces|provides|covers|shows))/i;

function shapeFactor({ wants }: Question, { text, kind }: Unit, { plain }: SearchText): number {
  let factor = 1;
  if (wants !== undefined) factor *= showsKind(wants, plain) ? 1.15 : 0.85;
  if (text.length < 8) factor *= 0.8;
  if (text.length > 400) factor *= 0.85;
  if (kind === 'code') factor *= 0.7;
  if (/[？?]$/.test(text)) factor *= 0.3;
  if (aboutItself.test(text)) factor *= 0.5;
  // A heading without markup.
  if (kind === 'sentence' && text.length < 30 && /[\p{L}\p{N}]$/u.test(text)) factor *= 0.8;
  return factor;
}
