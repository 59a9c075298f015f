import { Code } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import type { EvaluationService } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { invalidArgument, rpcError } from '#kit/base/errors.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import { readDataSet } from './data-set.ts';
import { diagnose } from './doctor/diagnose.ts';
import type { ReadMetrics } from './doctor/sources.ts';
import { createSuiteRpcs } from './nightly/suite-rpcs.ts';
import type { SuiteStore } from './nightly/suite-store.ts';
import { type RunDeps, runEvaluation } from './runs/run.ts';
import type { EvaluationStore } from './store.ts';

/** Runs of a page if the request names no number. */
const defaultPageSize = 50;
/** Data sets of a tenant that are listed. */
const maxDataSets = 1000;

/** Creates the rpcs of the evaluation service. */
export function createEvaluation(
  deps: RunDeps & { readMetrics: ReadMetrics },
  store: EvaluationStore,
  suites: SuiteStore,
): ServiceHandlers<typeof EvaluationService> {
  const { config } = deps;
  let runningCount = 0;
  return {
    async putDataSet(requests, context) {
      const { tenant } = context.principal;
      const { name, queries } = await readDataSet(requests, config);
      await store.replaceDataSet(tenant, name, queries);
      const judgementCount = queries.reduce((sum, { judgements }) => sum + judgements.length, 0);
      return { queryCount: queries.length, judgementCount };
    },
    async addQueries({ dataSet, queries }, { principal: { tenant } }) {
      const ids = new Set(queries.map(({ queryId }) => queryId));
      if (ids.size < queries.length) throw invalidArgument('queries: two have the same id');
      const known = await store.listDataSets(tenant, maxDataSets);
      const before = known.find((each) => each.dataSet === dataSet);
      if (before === undefined && known.length >= maxDataSets) {
        throw invalidArgument(`data_set: the tenant has ${maxDataSets} data sets`);
      }
      if ((before?.queryCount ?? 0) + queries.length > config.maxQueries) {
        throw invalidArgument(`queries: a data set has at most ${config.maxQueries} questions`);
      }
      return { queryCount: await store.addQueries(tenant, dataSet, queries) };
    },
    listDataSets: async (_, { principal: { tenant } }) => ({ dataSets: await store.listDataSets(tenant, maxDataSets) }),
    ...createSuiteRpcs(suites, config.nightly),
    async *runEvaluation(request, context) {
      if (runningCount >= config.maxRunning) {
        const message = `${config.maxRunning} evaluations are running: try again when one has finished`;
        throw rpcError(Code.ResourceExhausted, ErrorReason.OVERLOADED, message, { retryAfterMs: 10_000 });
      }
      runningCount++;
      try {
        yield* runEvaluation(deps, store, request, context);
      } finally {
        runningCount--;
      }
    },
    diagnose(request, context) {
      const { whole, platformTenants } = config;
      return diagnose({ readMetrics: deps.readMetrics, config: whole, platformTenants }, request, context);
    },
    async listRuns({ dataSet, pageSize, pageToken }, context) {
      const { tenant } = context.principal;
      const before = pageToken === '' ? undefined : Number(pageToken);
      if (before !== undefined && !Number.isSafeInteger(before)) {
        throw invalidArgument('page_token is not from ListRuns: start again without one');
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
