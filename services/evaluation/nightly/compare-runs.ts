import { create } from '@bufbuild/protobuf';
import {
  type EvaluationRun,
  type QuestionChange,
  QuestionChangeSchema,
  type QuestionScores,
  type SuiteReport,
  SuiteReportSchema,
} from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { bootstrapIntervals, seededRandom } from '#kit/statistics/bootstrap.ts';
import { figuresOf, suiteOf } from '../measures/figures.ts';

/** Questions that a report names. */
const maxQuestions = 50;
/** Seed of the intervals: the same scores give the same interval. */
const bootstrapSeed = 1;

/**
 * Compares a run with an earlier one, question by question, over the questions that both have asked: the mean of the differences with its 95 %
 * paired bootstrap interval. It is worse if the interval of a decisive figure is below 0. Without an earlier run of the same suite there is nothing
 * to compare. `flaky`: ids of questions that are named and not compared.
 */
export async function compareRuns(
  run: EvaluationRun,
  baseline: EvaluationRun | undefined,
  flaky: ReadonlySet<string> = new Set(),
): Promise<SuiteReport> {
  const report = create(SuiteReportSchema);
  const all = baseline === undefined ? [] : sharedQuestions(run, baseline);
  const shared = all.filter(({ question }) => !flaky.has(question.queryId));
  report.flakyQuestions = changesOf(all.filter(({ question }) => flaky.has(question.queryId))).slice(0, maxQuestions);
  report.questionCount = shared.length;
  if (baseline === undefined || shared.length === 0) return report;
  report.baselineRunId = baseline.runId;
  if (baseline.startedAt !== undefined) report.baselineAt = baseline.startedAt;
  const columns = run.metrics.map((_, metric) =>
    Float64Array.from(shared, ({ question, earlier }) => (question.scores[metric] ?? 0) - (earlier[metric] ?? 0)),
  );
  const intervals = await bootstrapIntervals(columns, seededRandom(bootstrapSeed));
  for (const [metric, { name }] of run.metrics.entries()) {
    const { mean = 0, low = 0, high = 0 } = intervals[metric] ?? {};
    report.gains.push({ $typeName: 'ragmesh.evaluation.v1.Metric', name, mean, low, high });
    if (figuresOf(run.suite).decisive.has(name) && high < 0) report.isWorse = true;
  }
  report.questions = changesOf(shared)
    .filter(({ before, now }) => before !== now)
    .slice(0, maxQuestions);
  return report;
}

/** Returns the questions that both runs have asked and whose first figure is lower in the later one, those that lost most first. */
export function lostQuestions(run: EvaluationRun, baseline: EvaluationRun): QuestionChange[] {
  return changesOf(sharedQuestions(run, baseline)).filter(({ before, now }) => now < before);
}

interface Shared {
  question: QuestionScores;
  earlier: readonly number[];
}

function sharedQuestions(run: EvaluationRun, baseline: EvaluationRun): Shared[] {
  if (suiteOf(run.suite) !== suiteOf(baseline.suite)) return [];
  const before = new Map(baseline.questions.map(({ queryId, scores }) => [queryId, scores]));
  return run.questions.flatMap((question) => {
    const earlier = before.get(question.queryId);
    return earlier === undefined ? [] : [{ question, earlier }];
  });
}

function changesOf(shared: readonly Shared[]): QuestionChange[] {
  return shared
    .map(({ question: { queryId, text, scores }, earlier }) =>
      create(QuestionChangeSchema, { queryId, text, before: earlier[0] ?? 0, now: scores[0] ?? 0 }),
    )
    .sort((a, b) => a.now - a.before - (b.now - b.before));
}
