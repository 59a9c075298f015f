import { toBinary } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import {
  type JudgedQuery,
  JudgedQuerySchema,
  type PutDataSetRequest,
} from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { invalidArgument, rpcError, tooLarge } from '#kit/base/errors.ts';
import type { EvaluationSettings } from './config.ts';
import { isJudged } from './runs/metrics.ts';

/** A data set. */
export interface DataSet {
  name: string;
  queries: JudgedQuery[];
}

/**
 * Reads an upload to its end. Throws INVALID_ARGUMENT if its messages contradict each other or nothing can be scored, and
 * RESOURCE_EXHAUSTED at its bounds.
 */
export async function readDataSet(
  requests: AsyncIterable<PutDataSetRequest>,
  { maxQueries, maxDataSetBytes }: EvaluationSettings,
): Promise<DataSet> {
  const queries = new Map<string, JudgedQuery>();
  let name: string | undefined;
  let sizeBytes = 0;
  for await (const request of requests) {
    name ??= request.dataSet;
    if (request.dataSet !== name) throw invalidArgument(`data_set: is "${request.dataSet}", and was "${name}" before`);
    for (const query of request.queries) {
      if (queries.has(query.queryId)) throw invalidArgument(`queries: the id "${query.queryId}" is not unique`);
      queries.set(query.queryId, query);
      sizeBytes += toBinary(JudgedQuerySchema, query).byteLength;
      if (queries.size > maxQueries) throw tooManyQueries(maxQueries);
      if (sizeBytes > maxDataSetBytes) throw tooLarge('the data set', maxDataSetBytes);
    }
  }
  if (name === undefined) throw invalidArgument('the upload is empty: a data set has at least one question');
  const dataSet = { name, queries: [...queries.values()] };
  if (!dataSet.queries.some(isScored)) {
    throw invalidArgument('queries: none has a judgement, or one with a grade above 0, so nothing can be scored');
  }
  return dataSet;
}

/** Returns whether a suite can score a question. */
const isScored = ({ judgements, answer, act, claim, pair, personalData }: JudgedQuery): boolean =>
  isJudged(judgements) || [answer, act, claim, pair, personalData].some((judgement) => judgement !== undefined);

function tooManyQueries(limit: number) {
  const message = `the data set has more than ${limit} questions: split it`;
  return rpcError(Code.ResourceExhausted, ErrorReason.TOO_LARGE, message, {
    metadata: { limit_queries: String(limit) },
  });
}
