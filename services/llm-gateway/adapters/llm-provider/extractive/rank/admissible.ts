import { conceptsOf } from '#kit/text/concepts/concepts.ts';
import { matchTerm } from '../passage/search-text.ts';
import { showsKind } from '../question/kinds.ts';
import type { Candidate, Evidence } from './evidence.ts';
import type { Ranked } from './model.ts';

/** Share of the best score that a candidate in the language of the question needs to be preferred to one in the other language. */
const minSameLanguage = 0.6;
const partConcepts = new Set(conceptsOf('配件 维修').map(({ concept }) => concept));

/**
 * Returns the candidates that can answer at all, whatever their score: none if the evidence lacks a code or a day of sales that the
 * question names; for the price of a thing, nothing about its parts; and if both languages answer, those of the question's language.
 */
export function admissible(evidence: Evidence, ranked: readonly Ranked[]): readonly Ranked[] {
  const { question, known } = evidence;
  if (question.terms.some(({ isExact, isFocus }, at) => isExact && isFocus && (known[at] as number) < 0.5)) return [];
  return sameLanguage(evidence, ofThing(evidence, ranked));
}

/** If a question asks for the price of a thing by its name alone, leaves out prices of its parts, accessories and repairs. */
function ofThing({ question }: Evidence, ranked: readonly Ranked[]): readonly Ranked[] {
  const things = question.terms.filter(({ isFocus, isExact }) => isFocus && isExact);
  const others = question.terms.filter(({ isFocus, isExact, weight }) => isFocus && !isExact && weight >= 0.5);
  if (question.wants !== 'money' || things.length === 0 || others.length > 0) return ranked;
  const isThing = ({ unit, text, source }: Candidate) =>
    things.every((thing) => matchTerm(thing, source.text.title) === 1) &&
    showsKind('money', text.plain.replace(/[\d.]+ ?%/g, ' ')) &&
    ![...text.concepts].some((concept) => partConcepts.has(concept)) &&
    !(unit.kind === 'row' && /[a-z]{2,}-[a-z]*\d/i.test(unit.cells[0]?.value ?? ''));
  return ranked.filter(({ candidate }) => isThing(candidate));
}

function sameLanguage({ question }: Evidence, ranked: readonly Ranked[]): readonly Ranked[] {
  const [best] = ranked;
  if (best === undefined || !best.candidate.source.isForeign) return ranked;
  const hasCodes = ({ candidate }: Ranked) =>
    question.terms.every(({ isExact, isFocus }, at) => !isExact || !isFocus || (candidate.titled[at] as number) >= 0.8);
  const own = ranked.find((one) => !one.candidate.source.isForeign && hasCodes(one));
  if (own === undefined || own.score < minSameLanguage * best.score) return ranked;
  return ranked.filter(({ candidate }) => !candidate.source.isForeign);
}
