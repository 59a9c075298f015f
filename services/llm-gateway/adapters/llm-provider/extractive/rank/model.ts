import { aspectNames, aspectsOf } from './aspects.ts';
import { briefNames } from './brief.ts';
import type { Candidate, Evidence } from './evidence.ts';
import { bestOf, coverage, featureNames, featuresOf, ownNames } from './features.ts';
import trained from './weights.json' with { type: 'json' };

/** What the decision reads beside the features of the best candidate. */
export const decisionNames = [
  ...ownNames,
  'unknown',
  'unknownName',
  'unknownLast',
  'unknownTwo',
  'fewTerms',
  'oneTerm',
  'unknownNumber',
  'unknownBoth',
  'nothingExact',
  'margin',
  'score',
  'chinese',
  ...aspectNames,
  ...briefNames,
] as const;

const shapeHidden = decisionNames.indexOf('shapeHidden');

/** Weights of the two models for one kind of question, by the names of their features. */
export interface ModelWeights {
  /** Linear: which candidate answers best. */
  rank: Record<string, number>;
  /** Logistic: whether the best candidate answers at all. */
  decision: Record<string, number>;
  bias: number;
}

/** Trained: see the README. */
export interface Weights {
  /** For all other questions. */
  full: ModelWeights;
  /** For short questions about what a heading names. */
  brief: ModelWeights;
  /** Least probability of an answer that is given. */
  threshold: number;
}

/** Returns the weights for a question. */
const weightsFor = ({ isOfSection }: Evidence, { full, brief }: Weights): ModelWeights => (isOfSection ? brief : full);

/** A candidate with its features and score. */
export interface Ranked {
  candidate: Candidate;
  features: readonly number[];
  score: number;
}

export const trainedWeights: Weights = trained;

/** Returns the candidates with their scores, best first. */
export function rankCandidates(evidence: Evidence, weights: Weights = trainedWeights): Ranked[] {
  const { rank } = weightsFor(evidence, weights);
  const best = bestOf(evidence);
  const factors = featureNames.map((name) => rank[name] ?? 0);
  return evidence.sources
    .flatMap(({ candidates }) => candidates)
    .map((candidate) => {
      const features = featuresOf(evidence, candidate, best);
      return {
        candidate,
        features,
        score: features.reduce((sum, value, at) => sum + value * (factors[at] as number), 0),
      };
    })
    .sort(
      (a, b) =>
        b.score - a.score || a.candidate.source.rank - b.candidate.source.rank || a.candidate.index - b.candidate.index,
    );
}

/** Returns the features of the decision whether the best candidate answers the question. */
export function decisionFeatures(evidence: Evidence, ranked: readonly Ranked[]): number[] {
  const [best] = ranked;
  if (best === undefined) return decisionNames.map(() => 0);
  const { question, known } = evidence;
  const focus = question.terms.filter(({ isFocus }) => isFocus);
  // What the message says beside a short question names its subject.
  const saidCount =
    focus.length + question.terms.filter(({ isFocus }, at) => !isFocus && (known[at] as number) >= 0.7).length;
  const strong = question.terms.flatMap((term, at) => (term.isFocus && term.weight >= 0.9 ? [at] : []));
  const isUnknown = (at: number) => (known[at] as number) < 0.3;
  const last = strong.at(-1);
  const { isForeign } = best.candidate.source;
  const other = ranked.find(
    ({ candidate }) => candidate.source.passage.documentId !== best.candidate.source.passage.documentId,
  );
  return [
    ...best.features.slice(0, ownNames.length),
    coverage(
      evidence,
      known.map((match) => (match < 0.3 ? 1 : 0)),
      true,
    ),
    // A passage in the other language writes names in its own way.
    Number(!isForeign && question.terms.some(({ isName, isFocus }, at) => isName && isFocus && isUnknown(at))),
    Number(last !== undefined && isUnknown(last)),
    Number(strong.filter(isUnknown).length >= 2),
    Number(saidCount <= 2),
    Number(saidCount <= 1),
    Number(question.terms.some(({ text, isFocus }, at) => isFocus && /^\d{2,}$/.test(text) && known[at] === 0)),
    Number(strong.length > 0 && strong.every(isUnknown)),
    Number(strong.length > 0 && strong.every((at) => (best.candidate.titled[at] as number) < 0.8)),
    Math.tanh(best.score - (other?.score ?? 0)),
    Math.tanh(best.score / 5),
    Number(question.language === 'zh'),
    ...aspectsOf(evidence, best.candidate),
    ...best.features.slice(ownNames.length),
  ];
}

/** Returns the probability that the best candidate answers the question. */
export function answerProbability(
  evidence: Evidence,
  ranked: readonly Ranked[],
  weights: Weights = trainedWeights,
): number {
  const { decision, bias } = weightsFor(evidence, weights);
  if (ranked.length === 0 || evidence.question.terms.every(({ isFocus }) => !isFocus)) return 0;
  const features = decisionFeatures(evidence, ranked);
  // A value of another shape is no answer, however much else the question and the quotation have in common.
  if (features[shapeHidden] === 1) return 0;
  const sum = features.reduce((total, value, at) => total + value * (decision[decisionNames[at] as string] ?? 0), bias);
  return 1 / (1 + Math.exp(-sum));
}
