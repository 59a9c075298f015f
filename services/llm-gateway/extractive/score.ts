import type { Passage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { matchTerm, type SearchText, toSearchText } from './match.ts';
import { type Question, showsKind, type Term } from './question.ts';
import { readUnits, type Unit } from './units.ts';

/** A unit of a passage with its worth for the question. */
export interface ScoredUnit {
  unit: Unit;
  /** Its passage, from 0. */
  passage: number;
  /** Its place in the passage, from 0. */
  index: number;
  /** What of the question it is about, by weight of words, 0 to 1: its own words in full, those around it in part. */
  support: number;
  /** Support, with what makes it the better answer among equals; 0 and up. */
  score: number;
  /** How far it holds each term of the question by itself, in their order, 0 to 1. */
  own: readonly number[];
}

/** Units of all passages, scored. */
export interface Scored {
  passages: readonly (readonly ScoredUnit[])[];
  /** Weight of each term of the question. */
  weights: readonly number[];
}

/** How much a word counts that stands not in the unit but … */
const context = { lead: 0.85, heading: 0.8, title: 0.6, neighbour: 0.45, passage: 0.25 } as const;

/** Reads and scores the evidence for a question. */
export function scoreEvidence(question: Question, evidence: readonly Passage[]): Scored {
  const read = evidence.map((passage) => {
    const units = readUnits(passage.text);
    return {
      units,
      texts: units.map(({ text }) => toSearchText(text)),
      headings: memo(toSearchText),
      title: toSearchText(passage.title),
      path: toSearchText(passage.headingPath.join(' ')),
    };
  });
  const { terms } = question;
  const own = read.map(({ texts }) => texts.map((text) => terms.map((term) => matchTerm(term, text))));
  const weights = weigh(terms, own.flat());
  const total = weights.reduce((sum, weight) => sum + weight, 0) || 1;
  const priors = priorsOf(evidence);
  const passages = read.map(({ units, texts, headings, title, path }, passage): ScoredUnit[] => {
    const matches = own[passage] as number[][];
    const anywhere = terms.map((_, term) => Math.max(0, ...matches.map((match) => match[term] as number)));
    const inTitle = terms.map((term) => matchTerm(term, title));
    const inPath = terms.map((term) => matchTerm(term, path));
    return units.map((unit, index) => {
      const mine = matches[index] as number[];
      const heading = unit.heading === '' ? undefined : headings(unit.heading);
      const lead = unit.leadIndex === undefined ? undefined : matches[unit.leadIndex];
      const beside = [index - 1, index + 1].filter((at) => units[at]?.block === unit.block).map((at) => matches[at]);
      let support = 0;
      for (const [at, term] of terms.entries()) {
        const best = Math.max(
          mine[at] as number,
          context.lead * (lead?.[at] ?? 0),
          context.heading * Math.max(inPath[at] as number, heading === undefined ? 0 : matchTerm(term, heading)),
          context.title * (inTitle[at] as number),
          ...beside.map((match) => context.neighbour * (match?.[at] ?? 0)),
          context.passage * (anywhere[at] as number),
        );
        support += (weights[at] as number) * best;
      }
      support /= total;
      const score = support * shapeFactor(question, unit, texts[index] as SearchText) * (0.85 + 0.15 * (priors[passage] ?? 0));
      return { unit, passage, index, support, score, own: mine };
    });
  });
  return { passages, weights };
}

/** Rare among the units: telling. A term that none holds weighs most, so that what is missing counts against an answer. */
function weigh(terms: readonly Term[], matches: readonly (readonly number[])[]): number[] {
  return terms.map(({ weight }, at) => {
    const holders = matches.reduce((sum, match) => sum + (match[at] as number), 0);
    return weight * Math.log(1 + (matches.length - holders + 0.5) / (holders + 0.5));
  });
}

function shapeFactor({ wants }: Question, { text, kind }: Unit, { plain }: SearchText): number {
  let factor = 1;
  if (wants !== undefined) factor *= showsKind(wants, plain) ? 1.15 : 0.85;
  if (text.length < 8) factor *= 0.8;
  if (text.length > 400) factor *= 0.85;
  if (kind === 'code') factor *= 0.7;
  if (/[？?]$/.test(text)) factor *= 0.5;
  return factor;
}

/** Worth of the passages by the stages before, 0 to 1, best 1: their order, which every stage has, whatever its scores mean. */
function priorsOf(evidence: readonly Passage[]): number[] {
  return evidence.map((_, rank) => 1 - rank / Math.max(1, evidence.length));
}

function memo<Out>(work: (input: string) => Out): (input: string) => Out {
  const known = new Map<string, Out>();
  return (input) => {
    const found = known.get(input) ?? work(input);
    known.set(input, found);
    return found;
  };
}
