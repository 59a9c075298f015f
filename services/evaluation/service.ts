import { randomUUID } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { Code, type HandlerContext, type ServiceImpl } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import {
  type EvaluationRun,
  EvaluationRunSchema,
  type EvaluationService,
  type JudgedQuery,
  type RunEvaluationRequest,
  type RunEvaluationResponse,
  RunEvaluationResponseSchema,
} from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import type { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { callerOf, forward } from '#kit/context.ts';
import type { ServiceDeps } from '#kit/define-service.ts';
import { invalidArgument, notFound, rpcError } from '#kit/errors.ts';
import { type Channel, createChannel } from '#kit/streams.ts';
import { type Asked, askOne } from './ask-all.ts';
import { bootstrapMean, seededRandom } from './bootstrap.ts';
import type { EvaluationSettings } from './config.ts';
import { reportedMetrics } from './metrics.ts';
import type { EvaluationStore } from './store.ts';

/** Longest time for one question, in milliseconds. */
const questionTimeoutMs = 5000;

/** Seed of the intervals: the same rankings give the same interval. */
const bootstrapSeed = 20_260_101;

type Deps = ServiceDeps<EvaluationSettings, { retrieval: typeof RetrievalService }>;

/** Creates the service over its store. */
export function createEvaluation(deps: Deps, store: EvaluationStore): ServiceImpl<typeof EvaluationService> {
  return {
    async putDataSet(requests, context) {
      const { tenant } = callerOf(context);
      let name: string | undefined;
      const queries = new Map<string, JudgedQuery>();
      for await (const request of requests) {
        name ??= request.dataSet;
        if (request.dataSet !== name) throw invalidArgument(`data_set: was "${name}" in the first message`);
        for (const query of request.queries) {
          if (queries.has(query.queryId)) throw invalidArgument(`queries: "${query.queryId}" comes twice`);
          queries.set(query.queryId, query);
        }
        if (queries.size > deps.config.maxQueries) throw tooManyQueries(deps.config.maxQueries);
      }
      if (name === undefined) throw invalidArgument('no message came: a data set has at least one question');
      await store.replaceDataSet(tenant, name, [...queries.values()]);
      const judgementCount = [...queries.values()].reduce((sum, { judgements }) => sum + judgements.length, 0);
      return { queryCount: queries.size, judgementCount };
    },
    async *runEvaluation(request, context) {
      const { tenant } = callerOf(context);
      const startedAt = deps.clock();
      const queries = await store.readDataSet(tenant, request.dataSet, request.limit || deps.config.maxQueries);
      if (queries.length === 0) throw notFound('data set', request.dataSet);
      const asked: Asked[] = [];
      for await (const one of askAll(deps, queries, request, context)) {
        asked.push(one);
        yield progress(asked.length, queries.length);
      }
      const run = report(request, asked, startedAt);
      await store.addRun(tenant, run);
      yield create(RunEvaluationResponseSchema, { event: { case: 'run', value: run } });
    },
    async listRuns({ dataSet, pageSize, pageToken }, context) {
      const { tenant } = callerOf(context);
      const size = pageSize || 50;
      const before = pageToken === '' ? Number.MAX_SAFE_INTEGER : Number(pageToken);
      if (!Number.isSafeInteger(before)) throw invalidArgument('page_token: is not one that this rpc gave');
      const found = await store.listRuns(tenant, dataSet, before, size + 1);
      const page = found.slice(0, size);
      const nextPageToken = found.length > size ? String(page.at(-1)?.sequence) : '';
      return { runs: page.map(({ run }) => run), nextPageToken };
    },
  };
}

// Asks with bounded concurrency; results come in the order in which they are finished.
async function* askAll(
  deps: Deps,
  queries: readonly JudgedQuery[],
  request: RunEvaluationRequest,
  context: HandlerContext,
): AsyncIterable<Asked> {
  const concurrency = Math.min(request.concurrency || deps.config.concurrency, queries.length);
  const results: Channel<Asked> = createChannel(concurrency);
  let next = 0;
  const asker = async () => {
    for (let query = queries[next++]; query !== undefined; query = queries[next++]) {
      const options = forward(context, { timeoutMs: questionTimeoutMs });
      const asked = await askOne(deps.clients.retrieval, query, request.template, deps.config.passages, options);
      if (asked.failure !== undefined)
        deps.log.warn({ query_id: query.queryId, err: asked.failure }, 'question failed');
      if (!(await results.send(asked))) return;
    }
  };
  const askers = Promise.all(Array.from({ length: concurrency }, asker));
  askers.then(
    () => results.close(),
    (error: unknown) => results.close(error),
  );
  yield* results;
}

function progress(doneCount: number, totalCount: number): RunEvaluationResponse {
  return create(RunEvaluationResponseSchema, { event: { case: 'progress', value: { doneCount, totalCount } } });
}

function report(request: RunEvaluationRequest, asked: readonly Asked[], startedAt: number): EvaluationRun {
  const times = asked.map(({ latencyUs }) => latencyUs).sort((a, b) => a - b);
  const at = (share: number) => BigInt(times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0);
  const metrics = [...reportedMetrics].map(([name, metric]) => ({
    name,
    ...bootstrapMean(asked.map(metric), seededRandom(bootstrapSeed)),
  }));
  return create(EvaluationRunSchema, {
    runId: randomUUID(),
    dataSet: request.dataSet,
    startedAt: timestampFromMs(startedAt),
    queryCount: asked.length,
    metrics,
    p50Us: at(0.5),
    p99Us: at(0.99),
    failedCount: asked.filter(({ failure }) => failure !== undefined).length,
    ...(request.template && { template: request.template }),
  });
}

function tooManyQueries(limit: number) {
  return rpcError(
    Code.ResourceExhausted,
    ErrorReason.TOO_LARGE,
    `a data set holds at most ${limit} questions: split it`,
    { metadata: { limit_queries: String(limit) } },
  );
}
