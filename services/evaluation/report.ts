import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { type EvaluationRun, EvaluationRunSchema } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import type { RetrieveRequest } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import type { Asked } from './ask.ts';
import { bootstrapIntervals, seededRandom } from './bootstrap.ts';
import { percentile, reportedMetrics } from './metrics.ts';

/** Seed of the intervals: the same scores give the same interval. */
const bootstrapSeed = 1;

/** What a run was. */
export interface RunFacts {
  runId: string;
  dataSet: string;
  /** In milliseconds since 1970. */
  startedAtMs: number;
  template: RetrieveRequest;
}

/** The result of a run: means, intervals and times over all questions, those that failed included. */
export async function report(facts: RunFacts, asked: readonly Asked[]): Promise<EvaluationRun> {
  const columns = reportedMetrics.map((_, metric) => Float64Array.from(asked, ({ scores }) => scores[metric] ?? 0));
  const intervals = await bootstrapIntervals(columns, seededRandom(bootstrapSeed));
  const times = asked.map(({ latencyUs }) => latencyUs).sort((a, b) => a - b);
  return create(EvaluationRunSchema, {
    runId: facts.runId,
    dataSet: facts.dataSet,
    startedAt: timestampFromMs(facts.startedAtMs),
    queryCount: asked.length,
    failedCount: asked.filter(({ failed }) => failed).length,
    metrics: reportedMetrics.map(({ name }, metric) => ({ name, ...intervals[metric] })),
    p50Us: BigInt(percentile(times, 0.5)),
    p99Us: BigInt(percentile(times, 0.99)),
    template: facts.template,
  });
}
