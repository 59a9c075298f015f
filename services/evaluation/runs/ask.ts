import { type CallOptions, type Client, Code } from '@connectrpc/connect';
import type { Degradation } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { JudgedQuery } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import type { RetrievalService, RetrieveRequest } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { toRpcError, unavailable } from '#kit/base/errors.ts';
import type { Logger } from '#kit/base/log.ts';
import { createChannel } from '#kit/base/streams.ts';
import { documentsOf, reportedMetrics } from './metrics.ts';

/** The scores of a question that was asked. */
export interface AskedQuery {
  queryId: string;
  text: string;
  /** Its value in each of the reported metrics. */
  scores: readonly number[];
  latencyUs: number;
  /** Whether retrieval failed; the scores are then 0. */
  failed: boolean;
  /** Stages that failed or were late: the ranking is what the others found. */
  degradations: readonly Degradation[];
}

/** What asking needs. */
export interface AskDeps {
  retrieval: Pick<Client<typeof RetrievalService>, 'retrieve'>;
  /** How to search. */
  template: RetrieveRequest;
  /** Returns the options of one call: identity, signal and time. */
  optionsOf(): Promise<CallOptions>;
  log: Logger;
}

/** Codes that every other question would get as well: the request must change, so the run ends with the error. */
export const fatalCodes: ReadonlySet<Code> = new Set([
  Code.InvalidArgument,
  Code.NotFound,
  Code.FailedPrecondition,
  Code.PermissionDenied,
  Code.Unauthenticated,
  Code.Unimplemented,
]);

/** Sends a question to the rpc Retrieve, and scores the ranking. Throws errors that every question would get. */
export async function ask(deps: AskDeps, { queryId, text, judgements }: JudgedQuery): Promise<AskedQuery> {
  const options = await deps.optionsOf();
  const request: RetrieveRequest = { ...deps.template, query: text };
  const startedAt = performance.now();
  let ranking: string[] | undefined;
  let degradations: readonly Degradation[] = [];
  let failure: unknown;
  try {
    for await (const { event } of deps.retrieval.retrieve(request, options)) {
      if (event.case !== 'fused') continue;
      ranking = documentsOf(event.value.passages);
      degradations = event.value.degradations;
    }
    if (ranking === undefined) throw unavailable('retrieval', 'the search ended without a result');
  } catch (thrown) {
    options.signal?.throwIfAborted();
    failure = thrown;
    if (fatalCodes.has(toRpcError(thrown).code)) throw thrown;
    deps.log.warn({ err: thrown, event: 'evaluation_query_failed', query_id: queryId }, 'evaluation query failed');
  }
  const latencyUs = Math.round((performance.now() - startedAt) * 1000);
  const grades = new Map(judgements.map(({ documentId, grade }) => [documentId, grade]));
  return {
    queryId,
    text,
    scores: reportedMetrics.map(({ metric }) => metric(failure === undefined ? (ranking ?? []) : [], grades)),
    latencyUs,
    failed: failure !== undefined,
    degradations,
  };
}

/**
 * Asks questions, at most `concurrency` at the same time. Results are yielded as they arrive; a slow consumer holds the questions back,
 * and one that leaves ends them.
 */
export async function* askAll(
  deps: AskDeps,
  queries: readonly JudgedQuery[],
  concurrency: number,
): AsyncIterable<AskedQuery> {
  const results = createChannel<AskedQuery>(concurrency);
  let nextIndex = 0;
  const askNext = async () => {
    for (let query = queries[nextIndex++]; query !== undefined; query = queries[nextIndex++]) {
      if (!(await results.send(await ask(deps, query)))) return;
    }
  };
  Promise.all(Array.from({ length: Math.min(concurrency, queries.length) }, askNext)).then(
    () => results.close(),
    (error: unknown) => results.close(error),
  );
  yield* results;
}
