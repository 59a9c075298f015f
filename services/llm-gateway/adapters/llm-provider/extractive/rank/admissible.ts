import { showsPrice } from '../question/kinds.ts';
import { labelsOf, sizesOf } from '../question/labels.ts';
import { headingOf } from './brief.ts';
import type { Candidate, Evidence } from './evidence.ts';
import { featureNames } from './features.ts';
import type { Ranked } from './model.ts';
import { ofTopic } from './of-topic.ts';
import { asksPriceOnly, isPriceOf, minThing, pricedThings } from './prices.ts';

const otherLabel = featureNames.indexOf('otherLabel');
/** Share of the best score that a candidate in the language of the question needs to be preferred to one in the other language. */
const minSameLanguage = 0.6;

/**
 * Returns the candidates that can answer at all, whatever their score: none if the evidence lacks a code or a day of sales that the
 * question names; for the price of a thing, nothing about its parts; and if both languages answer, those of the question's language.
 */
export function admissible(evidence: Evidence, ranked: readonly Ranked[]): readonly Ranked[] {
  const { question, known } = evidence;
  if (question.terms.some(({ isExact, isFocus }, at) => isExact && isFocus && (known[at] as number) < 0.5)) return [];
  const labels = labelsOf(question.plain);
  const texts = evidence.sources.flatMap(({ text }) => [text.title, text.path, ...text.texts]);
  if (labels.some((label) => !texts.some(({ plain }) => label.test(plain)))) return [];
  return sameLanguage(
    evidence,
    ofTopic(evidence, ofThing(evidence, ofRows(ofLabels([...labels, ...sizesOf(question.plain)], ranked)))),
  );
}

/** Leaves out the rows and items of which the question names another one by its whole label: beside Gold, Platinum is noise. */
const ofRows = (ranked: readonly Ranked[]): readonly Ranked[] =>
  ranked.filter(({ features }) => features[otherLabel] !== 1);

/** Leaves the statements about the things that a question names by numbers, if any is: beside the row of 12 instalments, that of 6 is noise. */
function ofLabels(labels: readonly RegExp[], ranked: readonly Ranked[]): readonly Ranked[] {
  if (labels.length === 0) return ranked;
  const isNamed = ({ candidate }: Ranked) =>
    labels.every((label) => label.test(candidate.text.plain) || label.test(headingOf(candidate).plain));
  return ranked.some(isNamed) ? ranked.filter(isNamed) : ranked;
}

/**
 * If a question asks for the price of a thing by its name alone, leaves out prices of its parts, accessories and repairs. A thing without
 * a code may have no page of its own: then amounts beside its name are left, or everything if the question says more than the thing.
 */
function ofThing({ question }: Evidence, ranked: readonly Ranked[]): readonly Ranked[] {
  const things = pricedThings(question);
  if (things.length === 0) return ranked;
  const prices = ranked.filter(({ candidate }) => isPriceOf(things, candidate));
  if (things.some(({ isExact }) => isExact) || prices.length > 0) return prices;
  if (!asksPriceOnly(question)) return ranked;
  const places = things.map((thing) => question.terms.indexOf(thing));
  const isNamed = ({ titled }: Candidate) => places.every((at) => (titled[at] as number) >= minThing);
  return ranked.filter(({ candidate }) => isNamed(candidate) && showsPrice(candidate.text.plain));
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
