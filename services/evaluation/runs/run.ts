import { createHash } from 'node:crypto';
import { clone, create, toBinary } from '@bufbuild/protobuf';
import type { CallOptions, Client } from '@connectrpc/connect';
import {
  type EvaluationRun,
  type JudgedQuery,
  JudgedQuerySchema,
  type RunEvaluationRequest,
  type RunEvaluationResponse,
  RunEvaluationResponseSchema,
} from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import {
  type RetrievalService,
  type RetrieveRequest,
  RetrieveRequestSchema,
} from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { notFound } from '#kit/base/errors.ts';
import type { ServiceDeps } from '#kit/host/define-service.ts';
import { actAs } from '#kit/rpc/context.ts';
import type { EvaluationSettings } from '../config.ts';
import type { EvaluationMetrics } from '../metrics.ts';
import type { EvaluationStore } from '../store.ts';
import { type AskedQuery, askAll } from './ask.ts';
import type { Answer, Checkpoint } from './checkpoint.ts';
import type { RunContext } from './context.ts';
import { isJudged } from './metrics.ts';
import { compare, report, toQuestionScores } from './report.ts';

/** Questions that one way of searching is asked before the next way has its turn. */
const queriesPerTurn = 50;
/** Approximate number of progress events of a run. */
const progressCount = 100;

/** What a run needs. */
export type RunDeps = Pick<
  ServiceDeps<EvaluationSettings, Record<string, never>>,
  'config' | 'clock' | 'random' | 'log' | 'signer'
> & { clients: { retrieval: Pick<Client<typeof RetrievalService>, 'retrieve'> }; figures: EvaluationMetrics };

/**
 * Asks every judged question in every way of searching, yields the progress, then the result, which is stored. Throws NOT_FOUND if
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
  const queries = await readQueries(store, tenant, request);
  const ways = waysOf(request, deps.config.topK);
  const totalCount = queries.length * ways.length;
  const dataSetVersion = versionOf(queries);
  const answers = ways.map(() => new Map<string, AskedQuery>());
  for (const { way, asked } of (await checkpoint?.read(dataSetVersion, totalCount)) ?? []) {
    answers[way]?.set(asked.queryId, asked);
  }
  const step = Math.ceil(totalCount / progressCount);
  let doneCount = answers.reduce((sum, { size }) => sum + size, 0);
  for await (const answer of askInTurns(deps, queries, ways, answers, request, context)) {
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
    template: ways[0],
  };
  const asked = answers.map((way) => [...way.values()]);
  const run = await toRun(facts, asked, request);
  // A version that is not live says nothing about what readers get.
  if (ways[0].versions.length === 0) deps.figures.finished(tenant, run);
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
  { dataSet, limit }: RunEvaluationRequest,
): Promise<JudgedQuery[]> {
  const stored = await store.readDataSet(tenant, dataSet);
  if (stored.length === 0) throw notFound('data set', dataSet);
  const judged = stored.filter(({ judgements }) => isJudged(judgements));
  return limit === 0 ? judged : judged.slice(0, limit);
}

/** Returns a digest of the questions with their judgements: 16 hexadecimal digits. */
function versionOf(queries: readonly JudgedQuery[]): string {
  const hash = createHash('sha256');
  for (const query of queries) hash.update(toBinary(JudgedQuerySchema, query, { writeUnknownFields: false }));
  return hash.digest('hex').slice(0, 16);
}

/** Returns the run's own way of searching, then the variants. */
function waysOf(request: RunEvaluationRequest, minTopK: number): [RetrieveRequest, ...RetrieveRequest[]] {
  const wayOf = (given: RetrieveRequest | undefined) => {
    const template = clone(RetrieveRequestSchema, given ?? create(RetrieveRequestSchema));
    template.topK = Math.max(template.topK, minTopK);
    return template;
  };
  return [wayOf(request.template), ...request.variants.map(({ template }) => wayOf(template))];
}

// The ways take turns, so that a cold start or a busy machine affects all of them alike.
async function* askInTurns(
  deps: RunDeps,
  queries: readonly JudgedQuery[],
  ways: readonly RetrieveRequest[],
  answers: readonly ReadonlyMap<string, AskedQuery>[],
  request: RunEvaluationRequest,
  context: RunContext,
): AsyncGenerator<Answer> {
  const { clients, config, log } = deps;
  const { retrieval } = clients;
  const queriesAtOnce = ways.length === 1 ? queries.length : queriesPerTurn;
  const concurrency = request.concurrency || config.concurrency;
  for (let start = 0; start < queries.length; start += queriesAtOnce) {
    const turn = queries.slice(start, start + queriesAtOnce);
    for (const [way, template] of ways.entries()) {
      const asking = { retrieval, template, optionsOf: () => optionsOf(deps, context), log };
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
    run.comparisons.push(await compare(name, own, others[index] ?? []));
  }
  return run;
}

function addQuestionScores(run: EvaluationRun, [own = [], ...others]: readonly AskedQuery[][]): void {
  run.questions = toQuestionScores(own);
  for (const [index, comparison] of run.comparisons.entries()) {
    comparison.questions = toQuestionScores(others[index] ?? []);
  }
}

// A question has the caller's identity and at most its remaining time. A run may last longer than the token that it began with, so
// if this process can sign tokens, each question has a new one.
async function optionsOf({ config, signer }: RunDeps, context: RunContext): Promise<CallOptions> {
  const options = context.forward({ timeoutMs: config.questionTimeoutMs });
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
