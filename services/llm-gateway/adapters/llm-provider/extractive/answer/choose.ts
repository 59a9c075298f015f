import { normalizeText } from '#kit/text/normalize.ts';
import { negates } from '../passage/negating.ts';
import { kindAsked, showsPrice } from '../question/kinds.ts';
import { type Question, toPlain } from '../question/question.ts';
import { admissible } from '../rank/admissible.ts';
import { documentOf, type Evidence } from '../rank/evidence.ts';
import { coverage } from '../rank/features.ts';
import { answerProbability, type Ranked, rankCandidates, trainedWeights, type Weights } from '../rank/model.ts';
import { isCertain } from '../rank/of-topic.ts';
import { withoutOutdated } from '../rank/outdated.ts';
import { generalInstead } from './general.ts';
import { outlineOf, pageFor, sectionsFor } from './outline.ts';
import { type Quotation, quoteWithContext } from './quotation.ts';

/** Another quotation loses at most this much of the score of the first one … */
const maxLoss = 0.6;
/** … or this much, for another row or step of the same table or list, because the question asks for one of them … */
const maxSiblingLoss = 0.2;
/** … and shares at most this part of its character pairs with an earlier quotation. */
const maxOverlap = 0.6;
/** Largest number of quotations, and of units in all of them: a list is one quotation of many units. */
const maxQuotations = 3;
const maxUnits = 4;

/** Returns what to quote as the answer to a question, best first; nothing if the evidence does not answer it. */
export function chooseQuotations(evidence: Evidence, weights: Weights = trainedWeights): Quotation[] {
  const { question } = evidence;
  const outline = question.form === 'outline' ? outlineOf(evidence) : [];
  if (outline.length > 1) return outline;
  const { current: ranked, dates } = withoutOutdated(
    admissible(evidence, rankCandidates(evidence, weights)),
    ({ candidate }) => coverage(evidence, candidate.near),
  );
  const [best] = ranked;
  if (best === undefined) return [];
  const sections = sectionsFor(evidence);
  if (answerProbability(evidence, ranked, weights) < weights.threshold && !isCertain(evidence, best)) {
    return sections.length > 0 ? sections : pageFor(evidence);
  }
  const same = sections.some(({ heading }) => heading === headingOf(best))
    ? []
    : sections.filter(asksTheSame(question));
  if (same.length > 0) return same;
  const general = generalInstead(evidence, best.candidate);
  if (general.length > 0) return general;
  const quote = ({ candidate }: Ranked): Quotation => {
    const date = dates.get(documentOf(candidate.source.passage));
    return { ...quoteWithContext(question, candidate), ...(date !== undefined && { date }) };
  };
  const chosen = [quote(best)];
  let count = chosen.flatMap(({ candidates }) => candidates).length;
  for (const other of ranked.slice(1)) {
    if (chosen.length >= maxQuotations || best.score - other.score > maxLoss) break;
    if (!addsTo(question, best, other)) continue;
    if (chosen.some(({ candidates }) => candidates.includes(other.candidate))) continue;
    const quotation = quote(other);
    if (count + quotation.candidates.length > maxUnits || isRepeat(quotation, chosen)) continue;
    chosen.push(quotation);
    count += quotation.candidates.length;
  }
  return chosen;
}

/** Returns whether a heading asks for the same: "When the money arrives" and "How long does a refund take?". Fees are many. */
const asksTheSame =
  ({ wants, plain }: Question) =>
  ({ heading }: Quotation): boolean =>
    (wants === undefined && negates(plain) && negates(heading)) ||
    (wants !== undefined && wants !== 'money' && kindAsked(toPlain(heading)) === wants);

const headingOf = ({ candidate: { unit, source } }: Ranked): string =>
  unit.heading || (source.passage.headingPath.at(-1) ?? source.passage.title);

/** Returns whether another unit is worth quoting beside the best one. */
function addsTo({ terms, wants, form }: Question, best: Ranked, other: Ranked): boolean {
  const [a, b] = [best.candidate, other.candidate];
  // Beside the row or step about E-07, the one about E-04 is noise.
  if (terms.some(({ isExact }, at) => isExact && a.own[at] === 1 && b.own[at] !== 1)) return false;
  if (a.source.isForeign !== b.source.isForeign) return false;
  const isSibling = a.source === b.source && a.unit.block === b.unit.block && a.unit.kind !== 'sentence';
  // Beside the price of a thing, that of its part is noise.
  if (wants === 'money' && form === 'fact' && !isSibling && showsPrice(a.text.plain)) return false;
  return best.score - other.score <= (isSibling ? maxSiblingLoss : maxLoss);
}

function isRepeat(quotation: Quotation, chosen: readonly Quotation[]): boolean {
  const pairs = pairsOf(quotation);
  return chosen.some((other) => {
    const known = pairsOf(other);
    const shared = [...pairs].filter((pair) => known.has(pair)).length;
    return shared > maxOverlap * Math.min(pairs.size, known.size);
  });
}

function pairsOf({ candidates }: Quotation): ReadonlySet<string> {
  const text = normalizeText(candidates.map(({ unit }) => unit.text).join(' ')).replace(/[^\p{L}\p{N}]+/gu, '');
  const pairs = new Set<string>();
  for (let index = 1; index < text.length; index++) pairs.add(text.slice(index - 1, index + 1));
  return pairs;
}
