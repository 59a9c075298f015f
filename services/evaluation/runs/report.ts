import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import {
  type Comparison,
  ComparisonSchema,
  type DegradedStage,
  DegradedStageSchema,
  type EvaluationRun,
  EvaluationRunSchema,
  type QuestionScores,
  QuestionScoresSchema,
} from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import type { SuiteKind } from '#gen/ragmesh/evaluation/v1/suite_pb.ts';
import { bootstrapIntervals, seededRandom } from '#kit/statistics/bootstrap.ts';
import { figuresOf } from '../measures/figures.ts';
import type { Way } from '../measures/measure.ts';
import type { AskedQuery } from './ask.ts';
import { percentile } from './metrics.ts';

/** Seed of the intervals: the same scores give the same interval. */
const bootstrapSeed = 1;

/** The facts of a run. */
export interface RunFacts {
  runId: string;
  dataSet: string;
  dataSetVersion: string;
  /** In milliseconds since 1970. */
  startedAtMs: number;
  way: Way;
  suite: SuiteKind;
}

/** Returns the result of a run: means, intervals and times over all questions, those that failed included. */
export async function report(facts: RunFacts, asked: readonly AskedQuery[]): Promise<EvaluationRun> {
  const { names } = figuresOf(facts.suite);
  const intervals = await bootstrapIntervals(columnsOf(names, inOrder(asked)), seededRandom(bootstrapSeed));
  const times = asked.map(({ latencyUs }) => latencyUs).sort((a, b) => a - b);
  return create(EvaluationRunSchema, {
    runId: facts.runId,
    dataSet: facts.dataSet,
    dataSetVersion: facts.dataSetVersion,
    startedAt: timestampFromMs(facts.startedAtMs),
    queryCount: asked.length,
    failedCount: asked.filter(({ failed }) => failed).length,
    metrics: names.map((name, metric) => ({ name, ...intervals[metric] })),
    p50Us: BigInt(percentile(times, 0.5)),
    p99Us: BigInt(percentile(times, 0.99)),
    template: facts.way.template,
    suite: facts.suite,
    model: facts.way.model,
    ...describeDegraded(asked),
  });
}

/**
 * Compares a run with a variant: returns the gain of the run over the variant, question by question, with the interval of that
 * difference (paired bootstrap). `asked` and `variant` hold the same questions.
 */
export async function compare(
  suite: SuiteKind,
  name: string,
  asked: readonly AskedQuery[],
  variant: readonly AskedQuery[],
): Promise<Comparison> {
  const { names } = figuresOf(suite);
  const [own, other] = [inOrder(asked), inOrder(variant)];
  const differences = own.map((one, index) => ({
    ...one,
    scores: one.scores.map((score, metric) => score - (other[index]?.scores[metric] ?? 0)),
  }));
  const [intervals, gains] = await Promise.all([
    bootstrapIntervals(columnsOf(names, other), seededRandom(bootstrapSeed)),
    bootstrapIntervals(columnsOf(names, differences), seededRandom(bootstrapSeed)),
  ]);
  return create(ComparisonSchema, {
    name,
    metrics: names.map((metric, index) => ({ name: metric, ...intervals[index] })),
    gains: names.map((metric, index) => ({ name: metric, ...gains[index] })),
    failedCount: variant.filter(({ failed }) => failed).length,
    ...describeDegraded(variant),
  });
}

/** Returns how many questions lacked a stage of the search, and the stages. */
function describeDegraded(asked: readonly AskedQuery[]): Pick<EvaluationRun, 'degradedCount' | 'degradedStages'> {
  const stages = new Map<Stage, DegradedStage>();
  for (const { degradations } of asked) {
    for (const { stage, reason } of new Map(degradations.map((one) => [one.stage, one])).values()) {
      const known = stages.get(stage) ?? create(DegradedStageSchema, { stage, reason });
      known.questionCount++;
      stages.set(stage, known);
    }
  }
  return {
    degradedCount: asked.filter(({ degradations }) => degradations.length > 0).length,
    degradedStages: [...stages.values()],
  };
}

/** Returns the scores of each question, in order of id. */
export function toQuestionScores(asked: readonly AskedQuery[]): QuestionScores[] {
  return inOrder(asked).map(({ queryId, text, scores }) =>
    create(QuestionScoresSchema, { queryId, text, scores: [...scores] }),
  );
}

const inOrder = (asked: readonly AskedQuery[]): AskedQuery[] =>
  [...asked].sort((a, b) => (a.queryId < b.queryId ? -1 : a.queryId > b.queryId ? 1 : 0));

const columnsOf = (figures: readonly string[], asked: readonly Pick<AskedQuery, 'scores'>[]): Float64Array[] =>
  figures.map((_, metric) => Float64Array.from(asked, ({ scores }) => scores[metric] ?? 0));
