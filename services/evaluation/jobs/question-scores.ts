import type { EvaluationRun, QuestionScores } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';

/** Questions whose scores are kept with a job. */
const maxQuestions = 1000;

/**
 * Returns a run with the scores of at most {@link maxQuestions} questions: those whose first score differs most between the run and its variants,
 * or without variants those with the lowest. They stay in order of id.
 */
export function limitQuestions(run: EvaluationRun): EvaluationRun {
  if (run.questions.length <= maxQuestions) return run;
  const scores = run.comparisons.map(({ questions }) => new Map(questions.map((one) => [one.queryId, firstOf(one)])));
  const weight = (question: QuestionScores) =>
    scores.length === 0
      ? -firstOf(question)
      : Math.max(...scores.map((other) => Math.abs(firstOf(question) - (other.get(question.queryId) ?? 0))));
  const kept = new Set(
    run.questions
      .map((question) => ({ queryId: question.queryId, weight: weight(question) }))
      .sort((a, b) => b.weight - a.weight)
      .slice(0, maxQuestions)
      .map(({ queryId }) => queryId),
  );
  const limit = (questions: readonly QuestionScores[]) => questions.filter(({ queryId }) => kept.has(queryId));
  return {
    ...run,
    questions: limit(run.questions),
    comparisons: run.comparisons.map((each) => ({ ...each, questions: limit(each.questions) })),
  };
}

const firstOf = ({ scores: [first = 0] }: QuestionScores) => first;
