import { negates } from '../passage/negating.ts';
import type { AnswerKind } from '../question/kinds.ts';
import { isBrief, type Question } from '../question/question.ts';
import { headingOf } from './brief.ts';
import type { Evidence } from './evidence.ts';
import { featureNames } from './features.ts';
import type { Ranked } from './model.ts';

// A short question names a topic, and asks for one of its values by its form: 配送多久 for a time. The topic is in titles, headings and columns
// rather than in the statement that has the value, and the value of a special case is beside the general one.

/** Places of features. */
const at = {
  briefValue: featureNames.indexOf('briefValue'),
  briefSpecialPlace: featureNames.indexOf('briefSpecialPlace'),
  briefSpecial: featureNames.indexOf('briefSpecial'),
  kindShown: featureNames.indexOf('kindShown'),
  rowLabel: featureNames.indexOf('rowLabel'),
} as const;

/** Kinds of values of which a page or section has one for its topic. */
const kinds: ReadonlySet<AnswerKind> = new Set(['time', 'money', 'phone']);
/** May ask for a length: "How long is the pool?" */
const asksLength = /(?<![a-z])how long (?:is|are|was|were) /;
/** How well a sentence must name a word of the topic. */
const minNamed = 0.7;
/** So much of the score of a statement about the general case one about a special case may be above. */
const maxSpecialLead = 2;
/** The same for steps, if the other statement says nothing to do. */
const maxStepsLead = 1;

/** What a statement has that says how to do a thing. */
const imperative =
  /[→“]|点|选|打开|填写|提交|(?<![a-z])(?:open|tap|click|choose|select|enter|call|write|start|use|under|at https?)(?![a-z])/;

/**
 * If a short question asks for a kind of value, and a statement has one for its topic, leaves out those that have none; and those about a
 * special case that the question does not name, if a statement about the general case is nearly as good.
 */
export function ofTopic({ question }: Evidence, ranked: readonly Ranked[]): readonly Ranked[] {
  const { wants, plain } = question;
  if (!isBrief(question) || wants === undefined) return ranked;
  const of = (one: Ranked) => isOfTopic(question, one);
  if (wants === 'steps') return stepsOfTopic(ranked, of);
  if (!kinds.has(wants) || question.form !== 'fact' || asksLength.test(plain) || !ranked.some(of)) return ranked;
  const valued = ranked.filter(({ features }) => features[at.kindShown] === 1);
  const general = valued.find((one) => of(one) && !isSpecial(question, one));
  const [best] = valued;
  if (best === undefined || general === undefined || best.score - general.score > maxSpecialLead) return valued;
  const isGeneral = of(best) && !isSpecial(question, best);
  return valued.filter((one) => (isGeneral || of(one)) && !isSpecial(question, one));
}

/** Leaves only the steps for the topic if the best statement says nothing to do. */
function stepsOfTopic(ranked: readonly Ranked[], of: (one: Ranked) => boolean): readonly Ranked[] {
  const [best] = ranked;
  if (best === undefined || imperative.test(best.candidate.text.plain)) return ranked;
  const steps = ranked.filter((one) => of(one) && one.features[at.briefSpecialPlace] === 0);
  return steps[0] === undefined || best.score - steps[0].score > maxStepsLead ? ranked : steps;
}

/**
 * Returns whether the title, heading, columns and lead of a statement name the whole topic, and it has the kind of value asked for. A
 * telephone number may be in a sentence that names the topic itself. A heading that negates heads an exception.
 */
function isOfTopic({ wants, terms, plain }: Question, { features, candidate }: Ranked): boolean {
  if (candidate.source.isForeign || (negates(headingOf(candidate).plain) && !negates(plain))) return false;
  const isNumber = wants === 'phone' && features[at.kindShown] === 1;
  const isNamed = () =>
    terms.every(
      ({ isFocus, weight }, place) => !isFocus || weight < 0.5 || (candidate.near[place] as number) >= minNamed,
    );
  return features[at.briefValue] === 1 || (isNumber && isNamed());
}

/**
 * Returns whether a statement is about a special case that the question does not name. The rows of a table are read beside each other, but
 * each has a telephone number of its own.
 */
function isSpecial({ wants }: Question, { features, candidate: { unit } }: Ranked): boolean {
  if (features[at.briefSpecialPlace] === 1 || (unit.kind === 'sentence' && features[at.briefSpecial] === 1))
    return true;
  return wants === 'phone' && unit.kind === 'row' && features[at.rowLabel] === 0;
}

/**
 * Returns whether a statement certainly has what a short question asks for: its places name a topic of two words and it has a time, or it is
 * the telephone number.
 */
export function isCertain({ question }: Evidence, best: Ranked): boolean {
  const { wants, terms } = question;
  const topic = terms.filter(({ isFocus, weight }) => isFocus && weight >= 0.5);
  const isExact = wants === 'time' ? topic.length > 1 : wants === 'phone';
  return isExact && isBrief(question) && isOfTopic(question, best) && !isSpecial(question, best);
}
