import { createHash } from 'node:crypto';
import { clone, create, toBinary } from '@bufbuild/protobuf';
import type { CallOptions } from '@connectrpc/connect';
import {
  type EvaluationRun,
  type JudgedQuery,
  JudgedQuerySchema,
  type RunEvaluationRequest,
  type RunEvaluationResponse,
  RunEvaluationResponseSchema,
} from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { SuiteKind, SuiteKindSchema } from '#gen/ragmesh/evaluation/v1/suite_pb.ts';
import { type RetrieveRequest, RetrieveRequestSchema } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { enumName } from '#kit/base/enums.ts';
import { invalidArgument, notFound } from '#kit/base/errors.ts';
import type { ServiceDeps } from '#kit/host/define-service.ts';
import { actAs } from '#kit/rpc/context.ts';
import type { EvaluationSettings } from '../config.ts';
import { figuresOf, suiteOf } from '../measures/figures.ts';
import type { Measure, Way } from '../measures/measure.ts';
import { type MeasuredServices, measureOf } from '../measures/measures.ts';
import type { EvaluationMetrics } from '../metrics.ts';
import type { EvaluationStore } from '../store.ts';
import { type AskedQuery, askAll } from './ask.ts';
import type { Answer, Checkpoint } from './checkpoint.ts';
import type { RunContext } from './context.ts';
import { compare, report, toQuestionScores } from './report.ts';

/** Questions that one way of searching is asked before the next way has its turn. */
const queriesPerTurn = 50;
/** Approximate number of progress events of a run. */
const progressCount = 100;

/** What a run needs. */
export type RunDeps = Pick<
  ServiceDeps<EvaluationSettings, Record<string, never>>,
  'config' | 'clock' | 'random' | 'log' | 'signer'
> &
  MeasuredServices & { figures: EvaluationMetrics };

/**
 * Asks every judged question in every way, yields the progress, then the result, which is stored. Throws NOT_FOUND if
 * there is no such data set.
 */
export async function* runEvaluation(
  deps: RunDeps,
  store: EvaluationStore,
  request: RunEvaluationRequest,
  context: RunContext,
): AsyncGenerator<RunEvaluationResponse> {
  for await (const response of measure(deps, store, request, context)) {
    if (response.event.case === 'run')
      await store.addRun(context.principal.tenant, withoutQuestions(response.event.value));
    yield response;
  }
}

/** Makes a run as {@link runEvaluation} does, without storing it. What `checkpoint` has is not asked again. */
export async function* measure(
  deps: RunDeps,
  store: EvaluationStore,
  request: RunEvaluationRequest,
  context: RunContext,
  checkpoint?: Checkpoint,
): AsyncGenerator<RunEvaluationResponse> {
  const { tenant } = context.principal;
  const startedAtMs = deps.clock();
  const suite = suiteOf(request.suite);
  const measured = measureOf(deps, suite, tenant);
  const queries = await readQueries(store, tenant, request, measured);
  const ways = waysOf(request, suite === SuiteKind.RETRIEVAL ? deps.config.topK : 0);
  if (suite !== SuiteKind.RETRIEVAL && ways.some(({ template }) => template.versions.length > 0)) {
    throw invalidArgument(
      'template.versions: only the suite of retrieval asks a version; the others ask the live ones',
    );
  }
  const totalCount = queries.length * ways.length;
  const dataSetVersion = versionOf(queries);
  const answers = ways.map(() => new Map<string, AskedQuery>());
  for (const { way, asked } of (await checkpoint?.read(dataSetVersion, totalCount)) ?? []) {
    answers[way]?.set(asked.queryId, asked);
  }
  const step = Math.ceil(totalCount / progressCount);
  let doneCount = answers.reduce((sum, { size }) => sum + size, 0);
  for await (const answer of askInTurns(deps, measured, queries, ways, answers, request, context)) {
    answers[answer.way]?.set(answer.asked.queryId, answer.asked);
    await checkpoint?.add(answer);
    doneCount++;
    if (doneCount % step === 0 || doneCount === totalCount) yield progress(doneCount, totalCount);
  }
  const facts = {
    runId: newRunId(deps.random),
    dataSet: request.dataSet,
    dataSetVersion,
    startedAtMs,
    suite,
    way: ways[0],
  };
  const asked = answers.map((way) => [...way.values()]);
  const run = await toRun(facts, asked, request);
  // A version that is not live says nothing about what readers get.
  if (ways[0].template.versions.length === 0) deps.figures.finished(tenant, run);
  if (request.withQuestions) addQuestionScores(run, asked);
  yield create(RunEvaluationResponseSchema, { event: { case: 'run', value: run } });
}

/** Returns a run as it is stored: without the scores of its questions. */
export function withoutQuestions(run: EvaluationRun): EvaluationRun {
  return { ...run, questions: [], comparisons: run.comparisons.map((each) => ({ ...each, questions: [] })) };
}

async function readQueries(
  store: EvaluationStore,
  tenant: string,
  { dataSet, limit, suite }: RunEvaluationRequest,
  { isJudged }: Measure,
): Promise<JudgedQuery[]> {
  const stored = await store.readDataSet(tenant, dataSet);
  if (stored.length === 0) throw notFound('data set', dataSet);
  const judged = stored.filter(isJudged);
  if (judged.length === 0) {
    const name = enumName(SuiteKindSchema, suiteOf(suite)).toLowerCase();
    throw invalidArgument(`suite: no question of "${dataSet}" has a judgement of the suite "${name}"`);
  }
  return limit === 0 ? judged : judged.slice(0, limit);
}

/** Returns a digest of the questions with their judgements: 16 hexadecimal digits. */
function versionOf(queries: readonly JudgedQuery[]): string {
  const hash = createHash('sha256');
  for (const query of queries) hash.update(toBinary(JudgedQuerySchema, query, { writeUnknownFields: false }));
  return hash.digest('hex').slice(0, 16);
}

/** Returns the run's own way, then the variants. */
function waysOf(request: RunEvaluationRequest, minTopK: number): [Way, ...Way[]] {
  const wayOf = (given: RetrieveRequest | undefined, model: string): Way => {
    const template = clone(RetrieveRequestSchema, given ?? create(RetrieveRequestSchema));
    template.topK = Math.max(template.topK, minTopK);
    return { template, model };
  };
  const { template: own, model, variants } = request;
  return [wayOf(own, model), ...variants.map((variant) => wayOf(variant.template, variant.model))];
}

// The ways take turns, so that a cold start or a busy machine affects all of them alike.
async function* askInTurns(
  deps: RunDeps,
  measured: Measure,
  queries: readonly JudgedQuery[],
  ways: readonly Way[],
  answers: readonly ReadonlyMap<string, AskedQuery>[],
  request: RunEvaluationRequest,
  context: RunContext,
): AsyncGenerator<Answer> {
  const { config, log } = deps;
  const figures = figuresOf(request.suite).names;
  const queriesAtOnce = ways.length === 1 ? queries.length : queriesPerTurn;
  const concurrency = request.concurrency || config.concurrency;
  for (let start = 0; start < queries.length; start += queriesAtOnce) {
    const turn = queries.slice(start, start + queriesAtOnce);
    for (const [way, own] of ways.entries()) {
      const optionsOfCall = () => optionsOf(deps, context, measured.timeoutMs);
      const asking = { measure: measured, figures, way: own, optionsOf: optionsOfCall, log };
      const open = turn.filter(({ queryId }) => !answers[way]?.has(queryId));
      for await (const asked of askAll(asking, open, concurrency)) yield { way, asked };
    }
  }
}

async function toRun(
  facts: Parameters<typeof report>[0],
  [own = [], ...others]: readonly AskedQuery[][],
  { variants }: RunEvaluationRequest,
): Promise<EvaluationRun> {
  const run = await report(facts, own);
  for (const [index, { name }] of variants.entries()) {
    run.comparisons.push(await compare(facts.suite, name, own, others[index] ?? []));
  }
  return run;
}

function addQuestionScores(run: EvaluationRun, [own = [], ...others]: readonly AskedQuery[][]): void {
  run.questions = toQuestionScores(own);
  for (const [index, comparison] of run.comparisons.entries()) {
    comparison.questions = toQuestionScores(others[index] ?? []);
  }
}

/**
 * Returns the options of one call: the caller's identity, and at most its remaining time. A run may last longer than the token that it began
 * with, so if this process can sign tokens, each question has a new one.
 */
export async function optionsOf({ signer }: RunDeps, context: RunContext, timeoutMs: number): Promise<CallOptions> {
  const options = context.forward({ timeoutMs });
  if (signer === undefined) return options;
  return { ...options, ...actAs(await signer.sign(context.principal)) };
}

function progress(doneCount: number, totalCount: number): RunEvaluationResponse {
  return create(RunEvaluationResponseSchema, { event: { case: 'progress', value: { doneCount, totalCount } } });
}

function newRunId(random: () => number): string {
  const part = () =>
    Math.floor(random() * 2 ** 32)
      .toString(16)
      .padStart(8, '0');
  return `run-${part()}${part()}`;
}
