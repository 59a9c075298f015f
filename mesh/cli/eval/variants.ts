import type { MessageInitShape } from '@bufbuild/protobuf';
import type { EvaluationRun, QuestionScores, VariantSchema } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { Feature, Fusion, Leg, type RetrieveRequestSchema } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { bootstrapIntervals, type Interval, seededRandom } from '#kit/statistics/bootstrap.ts';

type Template = Omit<MessageInitShape<typeof RetrieveRequestSchema>, '$typeName' | '$unknown'>;
type Variant = MessageInitShape<typeof VariantSchema>;

/** Returns searches that each leave out one feature, and a search by the plain keyword leg. */
export function ablationVariants(template: Template): Variant[] {
  const without: [name: string, change: Template][] = [
    ['no rerank', { rerank: false }],
    ['rerank without titles', { without: [Feature.TITLES] }],
    ['no vector leg', { legs: [Leg.KEYWORD] }],
    ['no keyword leg', { legs: [Leg.VECTOR] }],
    ['reciprocal rank fusion', { fusion: Fusion.RECIPROCAL_RANK }],
    ['legs weighed alike', { vectorWeight: 0.5 }],
    ['no word borders', { without: [Feature.WORD_BORDERS] }],
    ['no terms', { without: [Feature.TERMS] }],
    ['near-duplicates kept', { collapseDuplicates: false }],
    [
      'keyword leg alone, bare',
      { legs: [Leg.KEYWORD], rerank: false, without: [Feature.WORD_BORDERS, Feature.TERMS], collapseDuplicates: false },
    ],
  ];
  return without.map(([name, change]) => ({ name, template: { ...template, ...change } }));
}

const tunedWeights = Array.from({ length: 11 }, (_, index) => index / 10);

/** Returns searches with every weight of the vector leg in steps of 0.1. */
export function weightVariants(template: Template): Variant[] {
  return tunedWeights.map((vectorWeight) => ({ name: String(vectorWeight), template: { ...template, vectorWeight } }));
}

/** A weight that was found on half of the questions. */
export interface Tuned {
  weight: number;
  /** Its gain over the present weight on the other half, in nDCG@10. */
  gain: Interval;
}

/**
 * Chooses the weight of the vector leg from a run with {@link weightVariants} and the scores of its questions: the best on every
 * second question. Its gain is measured on the other questions, so that the figure is not biased by the choice.
 */
export async function chooseWeight(run: EvaluationRun): Promise<Tuned> {
  const nDcg = ({ scores }: QuestionScores) => scores[0] ?? 0;
  const mean = (scores: readonly QuestionScores[], half: number) => {
    const chosen = scores.filter((_, index) => index % 2 === half);
    return chosen.reduce((sum, one) => sum + nDcg(one), 0) / Math.max(1, chosen.length);
  };
  const [first, ...others] = run.comparisons;
  if (first === undefined) throw new Error('the run has no variants');
  let best = first;
  for (const one of others) if (mean(one.questions, 0) > mean(best.questions, 0)) best = one;
  const differences = best.questions
    .map((question, index) => nDcg(question) - nDcg(run.questions[index] as QuestionScores))
    .filter((_, index) => index % 2 === 1);
  const [gain] = await bootstrapIntervals([Float64Array.from(differences)], seededRandom(1));
  return { weight: Number(best.name), gain: gain as Interval };
}
