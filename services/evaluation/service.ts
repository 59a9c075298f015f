import { clone, create } from '@bufbuild/protobuf';
import { type CallOptions, Code } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import type {
  EvaluationService,
  RunEvaluationRequest,
  RunEvaluationResponse,
} from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { RunEvaluationResponseSchema } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import {
  type RetrievalService,
  type RetrieveRequest,
  RetrieveRequestSchema,
} from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { invalidArgument, notFound, rpcError } from '#kit/base/errors.ts';
import type { ServiceDeps } from '#kit/host/define-service.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import { actAs } from '#kit/rpc/context.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import { type Asked, askAll } from './ask.ts';
import type { EvaluationSettings } from './config.ts';
import { readDataSet } from './data-set.ts';
import { isJudged } from './metrics.ts';
import { compare, report, toQuestionScores } from './report.ts';
import type { EvaluationStore } from './store.ts';

const defaultPageSize = 50;
/** Questions that one way of searching is asked before the next one has its turn. */
const questionsInTurn = 50;
/** Progress events of a run, about. */
const progressCount = 100;

type Deps = Pick<
  ServiceDeps<EvaluationSettings, { retrieval: typeof RetrievalService }>,
  'config' | 'clients' | 'clock' | 'random' | 'log' | 'signer'
>;

/** The rpcs of the evaluation service. */
export function createEvaluation(deps: Deps, store: EvaluationStore): ServiceHandlers<typeof EvaluationService> {
  const { config, clients, clock, log } = deps;
  let runningCount = 0;

  async function* run(request: RunEvaluationRequest, context: CallContext): AsyncIterable<RunEvaluationResponse> {
    const { tenant } = context.principal;
    const startedAtMs = clock();
    const stored = await store.readDataSet(tenant, request.dataSet);
    if (stored.length === 0) throw notFound('data set', request.dataSet);
    const judged = stored.filter(({ judgements }) => isJudged(judgements));
    const queries = request.limit === 0 ? judged : judged.slice(0, request.limit);
    const templateOf = (given: RetrieveRequest | undefined) => {
      const template = clone(RetrieveRequestSchema, given ?? create(RetrieveRequestSchema));
      template.topK = Math.max(template.topK, config.topK);
      return template;
    };
    const template = templateOf(request.template);
    const ways = [template, ...request.variants.map((variant) => templateOf(variant.template))];
    const answers: Asked[][] = ways.map(() => []);
    const totalCount = queries.length * ways.length;
    const step = Math.ceil(totalCount / progressCount);
    let doneCount = 0;
    const inTurn = ways.length === 1 ? queries.length : questionsInTurn;
    // In turns, so that what changes meanwhile (a cold start, a busy machine) is the same for all.
    for (let start = 0; start < queries.length; start += inTurn) {
      const turn = queries.slice(start, start + inTurn);
      for (const [index, way] of ways.entries()) {
        const asking = { retrieval: clients.retrieval, template: way, optionsOf: () => optionsOf(deps, context), log };
        for await (const one of askAll(asking, turn, request.concurrency || config.concurrency)) {
          answers[index]?.push(one);
          doneCount++;
          if (doneCount % step === 0 || doneCount === totalCount) yield progress(doneCount, totalCount);
        }
      }
    }
    const [asked = [], ...others] = answers;
    const facts = { runId: newRunId(deps.random), dataSet: request.dataSet, startedAtMs, template };
    const result = await report(facts, asked);
    for (const [index, { name }] of request.variants.entries()) {
      result.comparisons.push(await compare(name, asked, others[index] ?? []));
    }
    await store.addRun(tenant, result);
    if (request.withQuestions) {
      result.questions = toQuestionScores(asked);
      for (const [index, comparison] of result.comparisons.entries()) {
        comparison.questions = toQuestionScores(others[index] ?? []);
      }
    }
    yield create(RunEvaluationResponseSchema, { event: { case: 'run', value: result } });
  }

  return {
    async putDataSet(requests, context) {
      const { tenant } = context.principal;
      const { name, queries } = await readDataSet(requests, config);
      await store.replaceDataSet(tenant, name, queries);
      const judgementCount = queries.reduce((sum, { judgements }) => sum + judgements.length, 0);
      return { queryCount: queries.length, judgementCount };
    },
    async *runEvaluation(request, context) {
      if (runningCount >= config.maxRunning) {
        const message = `${config.maxRunning} evaluations are under way: try again when one has finished`;
        throw rpcError(Code.ResourceExhausted, ErrorReason.OVERLOADED, message, { retryAfterMs: 10_000 });
      }
      runningCount++;
      try {
        yield* run(request, context);
      } finally {
        runningCount--;
      }
    },
    async listRuns({ dataSet, pageSize, pageToken }, context) {
      const { tenant } = context.principal;
      const before = pageToken === '' ? undefined : Number(pageToken);
      if (before !== undefined && !Number.isSafeInteger(before)) {
        throw invalidArgument('page_token: is none that this list gave: begin again without one');
      }
      const size = pageSize || defaultPageSize;
      const found = await store.listRuns(tenant, { dataSet, before, limit: size + 1 });
      const page = found.slice(0, size);
      return {
        runs: page.map(({ run }) => run),
        nextPageToken: found.length > size ? String(page.at(-1)?.sequence) : '',
      };
    },
  };
}

// A question is the caller's own: its identity, no more time than it has left. A run may outlast the token that it came with,
// so where this process can make tokens, each question has a fresh one.
async function optionsOf({ config, signer }: Deps, context: CallContext): Promise<CallOptions> {
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
