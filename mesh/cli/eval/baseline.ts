import type { EvaluationRun } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { bootstrapIntervals, type Interval, seededRandom } from '#kit/statistics/bootstrap.ts';

/** Figures of earlier runs to compare with, by data set. */
export interface Baseline {
  sets: Record<string, BaselineSet>;
}

/** Figures of a data set. */
export interface BaselineSet {
  /** Means by metric: [mean, low, high], the 95 % interval. */
  metrics: Record<string, [mean: number, low: number, high: number]>;
  /** nDCG@10 of each question in order of id, in hundredths, so that runs are compared question by question. */
  hundredths: number[];
}

const rounded = (value: number): number => Number(value.toFixed(4));

/** Returns a run's figures, small enough to be committed. The run must have the scores of its questions. */
export function toBaselineSet({ metrics, questions }: EvaluationRun): BaselineSet {
  return {
    metrics: Object.fromEntries(
      metrics.map(({ name, mean, low, high }) => [name, [rounded(mean), rounded(low), rounded(high)]]),
    ),
    hundredths: questions.map(({ scores }) => Math.round((scores[0] ?? 0) * 100)),
  };
}

/** What changed since the baseline, in nDCG@10. */
export interface BaselineChange {
  change: Interval;
  /** The whole interval is below 0. */
  isSignificantDrop: boolean;
}

/** Smaller drops do not count: the baseline itself is rounded to hundredths. */
const smallestDrop = 0.002;

/** Compares a run with the baseline, question by question. Throws if their questions differ. */
export async function compareWithBaseline(run: EvaluationRun, set: BaselineSet): Promise<BaselineChange> {
  const now = toBaselineSet(run).hundredths;
  if (now.length !== set.hundredths.length) {
    throw new Error(
      `the baseline has ${set.hundredths.length} questions, the run ${now.length}: write it again (--write-baseline)`,
    );
  }
  const differences = Float64Array.from(now, (value, index) => (value - (set.hundredths[index] as number)) / 100);
  const [change] = (await bootstrapIntervals([differences], seededRandom(1))) as [Interval];
  return { change, isSignificantDrop: change.high < 0 && change.mean < -smallestDrop };
}
