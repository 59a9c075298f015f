import { create } from '@bufbuild/protobuf';
import { type EvaluationRun, type SuiteReport, SuiteReportSchema } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { bootstrapIntervals, seededRandom } from '#kit/statistics/bootstrap.ts';

/** The figures whose significant loss is a regression: those that hold a version at its gate. */
const decisive = new Set(['nDCG@10', 'Hit@5']);
/** Questions that a report names. */
const maxQuestions = 50;
/** Seed of the intervals: the same scores give the same interval. */
const bootstrapSeed = 1;

/**
 * Compares a run with an earlier one, question by question, over the questions that both have asked: the mean of the differences with its 95 %
 * paired bootstrap interval. It is worse if the interval of a decisive figure is below 0. Without an earlier run there is nothing to compare.
 */
export async function compareRuns(run: EvaluationRun, baseline: EvaluationRun | undefined): Promise<SuiteReport> {
  const report = create(SuiteReportSchema);
  const before = new Map(baseline?.questions.map((question) => [question.queryId, question.scores]));
  const shared = run.questions.flatMap((question) => {
    const earlier = before.get(question.queryId);
    return earlier === undefined ? [] : [{ question, earlier }];
  });
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
    if (decisive.has(name) && high < 0) report.isWorse = true;
  }
  report.questions = shared
    .map(({ question, earlier }) => ({
      ...{ queryId: question.queryId, text: question.text },
      ...{ before: earlier[0] ?? 0, now: question.scores[0] ?? 0 },
    }))
    .filter(({ before: was, now }) => was !== now)
    .sort((a, b) => a.now - a.before - (b.now - b.before))
    .slice(0, maxQuestions)
    .map((question) => ({ $typeName: 'ragmesh.evaluation.v1.QuestionChange', ...question }));
  return report;
}
