import type { MessageInitShape } from '@bufbuild/protobuf';
import type {
  Comparison,
  EvaluationRun,
  QuestionScores,
  VariantSchema,
} from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
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

/** How a corpus is searched: what `npm run eval -- <folder> --tune` finds. */
export interface CorpusSearch {
  vectorWeight: number;
  rerank: boolean;
}

/** The ways of {@link tuningVariants}, in their order. */
const tunedSearches: readonly CorpusSearch[] = [true, false].flatMap((rerank) =>
  tunedWeights.map((vectorWeight) => ({ vectorWeight, rerank })),
);

/** Returns searches with every weight of the vector leg in steps of 0.1, with rerank and without. */
export function tuningVariants(template: Template): Variant[] {
  return tunedSearches.map((search) => ({
    name: `${search.vectorWeight}${search.rerank ? '' : ' without rerank'}`,
    template: { ...template, ...search },
  }));
}

/** A way to search that was found on half of the questions. */
export interface Tuned extends CorpusSearch {
  /** Its gain over the present way on the other half, in nDCG@10. */
  gain: Interval;
  /** What the reranker gains at this weight, on the other half. */
  rerankGain: Interval;
}

/**
 * Chooses how to search from a run with {@link tuningVariants} and the scores of its questions: the best on every second question. Its
 * gain is measured on the other questions, so that the figure is not biased by the choice.
 */
export async function chooseSearch(run: EvaluationRun): Promise<Tuned> {
  if (run.comparisons.length !== tunedSearches.length) throw new Error('the run has not the variants to choose from');
  const scoresOf = (index: number) => (run.comparisons[index] as Comparison).questions.map(nDcg);
  const meanOfHalf = (index: number) => mean(scoresOf(index).filter((_, at) => at % 2 === 0));
  let best = 0;
  for (let index = 1; index < tunedSearches.length; index++) if (meanOfHalf(index) > meanOfHalf(best)) best = index;
  const search = tunedSearches[best] as CorpusSearch;
  const indexOf = (rerank: boolean) =>
    tunedSearches.findIndex((one) => one.vectorWeight === search.vectorWeight && one.rerank === rerank);
  const [gain, rerankGain] = await Promise.all([
    gainOnOtherHalf(scoresOf(best), run.questions.map(nDcg)),
    gainOnOtherHalf(scoresOf(indexOf(true)), scoresOf(indexOf(false))),
  ]);
  return { ...search, gain, rerankGain };
}

const nDcg = ({ scores }: QuestionScores) => scores[0] ?? 0;
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

async function gainOnOtherHalf(scores: readonly number[], base: readonly number[]): Promise<Interval> {
  const differences = scores.map((score, index) => score - (base[index] as number)).filter((_, at) => at % 2 === 1);
  const [gain] = await bootstrapIntervals([Float64Array.from(differences)], seededRandom(1));
  return gain as Interval;
}
