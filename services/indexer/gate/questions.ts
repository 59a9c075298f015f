import { create } from '@bufbuild/protobuf';
import type { Client } from '@connectrpc/connect';
import type { EvaluationRun, EvaluationService } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import {
  GateCheckKind,
  GateFigureSchema,
  type GateFinding,
  GateFindingKind,
  type GateReport,
  WorseQuestionSchema,
} from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';
import { ConfigError } from '#kit/base/config-error.ts';
import { errorInfoOf, unavailable } from '#kit/base/errors.ts';
import type { JobRecord } from '../jobs/job-store.ts';
import { type CheckInit, findingOf, toCheck } from './check.ts';
import type { AppliedGate } from './gate-store.ts';
import type { LeakDeps } from './leaks.ts';

/** What asking judged questions needs. */
export interface QuestionDeps extends LeakDeps {
  /** Returns the evaluation service. Throws ConfigError if this process cannot reach it. */
  evaluation(): Pick<Client<typeof EvaluationService>, 'runEvaluation'>;
}

/** Judged questions of a data set that are asked. */
const questionsMax = 2000;
/** Questions that are asked at the same time. */
const concurrency = 4;
const worseMax = 50;
/** The figures whose significant loss holds a version. */
const decisive = new Set(['nDCG@10', 'Hit@5']);

/** Asks the judged questions of both versions, and adds the result to the report. */
export async function checkQuestions(
  report: GateReport,
  facts: { job: JobRecord; version: bigint; signal: AbortSignal },
  gate: AppliedGate,
  deps: QuestionDeps,
): Promise<void> {
  const add = (check: Omit<CheckInit, 'kind'>) =>
    report.checks.push(toCheck({ kind: GateCheckKind.QUESTIONS, ...check }));
  if (report.liveVersion === 0n) {
    add({ passed: true, findings: [findingOf(GateFindingKind.NO_LIVE_VERSION)] });
    return;
  }
  if (!canReach(deps)) {
    add({ passed: false, findings: [findingOf(GateFindingKind.NO_EVALUATION)] });
    return;
  }
  for (const dataSet of gate.dataSets) {
    const run = await compare(dataSet, facts, gate, deps);
    if (run === undefined) {
      add({ passed: false, findings: [findingOf(GateFindingKind.NO_DATA_SET, { name: dataSet })] });
      continue;
    }
    add({ ...addFigures(report, run), checkedCount: BigInt(run.queryCount) });
  }
  report.worseQuestions = report.worseQuestions
    .sort((a, b) => a.checked - a.live - (b.checked - b.live))
    .slice(0, worseMax);
}

function canReach({ evaluation }: QuestionDeps): boolean {
  try {
    evaluation();
    return true;
  } catch (error) {
    if (error instanceof ConfigError) return false;
    throw error;
  }
}

/** Returns the run of a data set over both versions; `undefined` if there is no such set. */
async function compare(
  dataSet: string,
  { job, version, signal }: { job: JobRecord; version: bigint; signal: AbortSignal },
  { groups }: AppliedGate,
  { evaluation, caller }: QuestionDeps,
): Promise<EvaluationRun | undefined> {
  const { tenant, user, corpus } = job;
  // Each question replaces the query.
  const live = { query: dataSet, corpora: [corpus], waitForStages: true };
  const request = {
    dataSet,
    template: { ...live, versions: [{ corpus, version }] },
    variants: [{ name: 'live', template: live }],
    withQuestions: true,
    limit: questionsMax,
    concurrency,
  };
  let run: EvaluationRun | undefined;
  try {
    const events = evaluation().runEvaluation(request, await caller.asOperator({ tenant, user, groups }, signal));
    for await (const { event } of events) if (event.case === 'run') run = event.value;
  } catch (error) {
    if (errorInfoOf(error)?.metadata.kind === 'data set') return undefined;
    throw error;
  }
  const incomplete = [run, run?.comparisons[0]].some(
    (way) => way === undefined || way.failedCount > 0 || way.degradedCount > 0,
  );
  if (incomplete) throw unavailable('retrieval', `some questions of "${dataSet}" had an incomplete search`);
  return run;
}

/** Adds figures and questions of a run to the report, and returns whether it shows no significant loss. */
function addFigures(report: GateReport, run: EvaluationRun): { passed: boolean; findings: GateFinding[] } {
  const [live] = run.comparisons;
  const lost: GateFinding[] = [];
  for (const [index, { name, mean: checked }] of run.metrics.entries()) {
    const gain = live?.gains[index];
    const { low = 0, high = 0 } = gain ?? {};
    const before = live?.metrics[index]?.mean ?? 0;
    report.figures.push(create(GateFigureSchema, { dataSet: run.dataSet, name, live: before, checked, low, high }));
    if (decisive.has(name) && high < 0)
      lost.push(findingOf(GateFindingKind.FIGURE_FELL, { name, live: before, checked }));
  }
  for (const [index, { queryId, text, scores }] of run.questions.entries()) {
    const [checked = 0] = scores;
    const [before = 0] = live?.questions[index]?.scores ?? [];
    if (checked > before) report.betterCount++;
    if (checked >= before) continue;
    report.worseCount++;
    report.worseQuestions.push(
      create(WorseQuestionSchema, { dataSet: run.dataSet, queryId, text, live: before, checked }),
    );
  }
  return {
    passed: lost.length === 0,
    findings:
      lost.length > 0 ? lost : [findingOf(GateFindingKind.NO_LOSS, { count: run.queryCount, name: run.dataSet })],
  };
}
