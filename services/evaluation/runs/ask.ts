import { type CallOptions, Code } from '@connectrpc/connect';
import type { Degradation } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { JudgedQuery } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { toRpcError } from '#kit/base/errors.ts';
import type { Logger } from '#kit/base/log.ts';
import { createChannel } from '#kit/base/streams.ts';
import type { Measure, Outcome, Way } from '../measures/measure.ts';

/** The scores of a question that was asked. */
export interface AskedQuery {
  queryId: string;
  text: string;
  /** Its value in each figure of the suite. */
  scores: readonly number[];
  latencyUs: number;
  /** Whether the call failed; the scores are then 0. */
  failed: boolean;
  /** Stages that failed or were late: the result is that of the others. */
  degradations: readonly Degradation[];
}

/** What asking needs. */
export interface AskDeps {
  measure: Measure;
  /** Names of the figures of the suite. */
  figures: readonly string[];
  /** How to search and to answer. */
  way: Way;
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

/** Asks a question, and returns its scores. Throws errors that every question would get. */
export async function ask(deps: AskDeps, query: JudgedQuery): Promise<AskedQuery> {
  const options = await deps.optionsOf();
  const startedAt = performance.now();
  let outcome: Outcome | undefined;
  try {
    outcome = await deps.measure.ask(query, deps.way, options);
  } catch (error) {
    options.signal?.throwIfAborted();
    if (fatalCodes.has(toRpcError(error).code)) throw error;
    deps.log.warn({ err: error, event: 'evaluation_query_failed', query_id: query.queryId }, 'evaluation query failed');
  }
  return {
    queryId: query.queryId,
    text: query.text,
    scores: outcome?.scores ?? deps.figures.map(() => 0),
    latencyUs: Math.round((performance.now() - startedAt) * 1000),
    failed: outcome === undefined,
    degradations: outcome?.degradations ?? [],
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
