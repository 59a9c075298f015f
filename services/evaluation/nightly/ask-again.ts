import { create } from '@bufbuild/protobuf';
import type { EvaluationRun } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { RetrieveRequestSchema } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { figuresOf } from '../measures/figures.ts';
import { measureOf } from '../measures/measures.ts';
import { askAll } from '../runs/ask.ts';
import type { RunContext } from '../runs/context.ts';
import { optionsOf, type RunDeps } from '../runs/run.ts';
import type { EvaluationStore } from '../store.ts';

/** Questions that are asked again at most. */
const maxQuestions = 50;

/**
 * Asks questions of a run again, at most 50, and returns the ids of those that are flaky: their first figure is now another one. A question
 * whose call fails this time is not among them.
 */
export async function findFlaky(
  deps: RunDeps & { store: EvaluationStore },
  run: EvaluationRun,
  queryIds: readonly string[],
  context: RunContext,
): Promise<Set<string>> {
  const { tenant } = context.principal;
  const wanted = new Set(queryIds.slice(0, maxQuestions));
  const queries = (await deps.store.readDataSet(tenant, run.dataSet)).filter(({ queryId }) => wanted.has(queryId));
  const first = new Map(run.questions.map(({ queryId, scores }) => [queryId, scores[0]]));
  const measure = measureOf(deps, run.suite, tenant);
  const asking = {
    ...{ measure, log: deps.log, figures: figuresOf(run.suite).names },
    way: { template: run.template ?? create(RetrieveRequestSchema), model: run.model },
    optionsOf: () => optionsOf(deps, context, measure.timeoutMs),
  };
  const flaky = new Set<string>();
  for await (const { queryId, scores, failed } of askAll(asking, queries, deps.config.concurrency)) {
    // Scores of a stored run are float32.
    if (!failed && Math.fround(scores[0] ?? 0) !== Math.fround(first.get(queryId) ?? 0)) flaky.add(queryId);
  }
  return flaky;
}
