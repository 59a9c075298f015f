import { existsSync, writeFileSync } from 'node:fs';
import type { EvaluationRun } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { bootstrapIntervals, type Interval, seededRandom } from '#kit/statistics/bootstrap.ts';
import { CommandError } from '../command.ts';
import { readJson } from './terms.ts';

/** Figures of earlier runs to compare with, by data set. */
export interface Baseline {
  sets: Record<string, BaselineSet>;
}

/** Figures of a data set. */
export interface BaselineSet {
  /** Means by metric: [mean, low, high], the 95 % interval. */
  metrics: Record<string, [mean: number, low: number, high: number]>;
  /** The first figure of each question in order of id, in hundredths, so that runs are compared question by question. */
  hundredths: number[];
}

const rounded = (value: number): number => Number(value.toFixed(4));

/** Returns a run's figures, small enough to be committed. The run must have the scores of its questions. */
export function toBaselineSet({ metrics, questions }: EvaluationRun): BaselineSet {
  return {
    metrics: Object.fromEntries(
      metrics.map(({ name, mean, low, high }) => [name, [rounded(mean), rounded(low), rounded(high)]]),
    ),
    hundredths: questions.map(({ scores }) => toHundredths(scores)),
  };
}

/** Reads figures to compare with. Throws CommandError if there is no such file. */
export const readBaseline = (path: string): Baseline => readJson(path) as Baseline;

/** Puts the figures of these sets into a file of figures, which is made if it does not exist; other sets stay. */
export function writeBaseline(path: string, sets: Baseline['sets']): void {
  const earlier = existsSync(path) ? readBaseline(path).sets : {};
  // One line for each metric, and one for the scores of all questions.
  const text = JSON.stringify({ sets: { ...earlier, ...sets } }, undefined, 2).replace(/\[[^\]]*\]/g, (list) =>
    list.replace(/\s+/g, ' ').replaceAll(/(?<=\[) | (?=\])/g, ''),
  );
  writeFileSync(path, `${text}\n`);
}

/** What changed since the baseline, in the first figure. */
export interface BaselineChange {
  /** Name of the figure. */
  metric: string;
  change: Interval;
  /** The whole interval is below 0. */
  isSignificantDrop: boolean;
  /** Ids of questions that had another figure when they were asked again, and are not compared. */
  flaky: string[];
}

/** Smaller drops do not count: the baseline itself is rounded to hundredths. */
const smallestDrop = 0.002;

/**
 * Compares a run with the baseline, question by question. If it is significantly worse, all are asked again, by `askAgain`, and those that have
 * another figure this time are named and not compared. A second run that failed in part excuses nothing, nor one in which every figure is
 * another. Throws if their questions differ.
 */
export async function compareWithBaseline(
  run: EvaluationRun,
  set: BaselineSet,
  askAgain: () => Promise<EvaluationRun>,
): Promise<BaselineChange> {
  const change = await compare(run, set, new Set());
  if (!change.isSignificantDrop) return change;
  const { questions, failedCount, degradedCount } = await askAgain();
  if (failedCount > 0 || degradedCount > 0) return change;
  const again = new Map(questions.map(({ queryId, scores }) => [queryId, scores[0]]));
  const flaky = run.questions.filter(({ queryId, scores }) => again.get(queryId) !== scores[0]);
  if (flaky.length === 0 || flaky.length === run.questions.length) return change;
  return compare(run, set, new Set(flaky.map(({ queryId }) => queryId)));
}

async function compare(
  { metrics, questions }: EvaluationRun,
  { hundredths }: BaselineSet,
  flaky: ReadonlySet<string>,
): Promise<BaselineChange> {
  if (questions.length !== hundredths.length) {
    throw new CommandError(
      `the baseline has ${hundredths.length} questions, the run ${questions.length}: write it again (--write-baseline)`,
    );
  }
  const differences = questions.flatMap(({ queryId, scores }, index) =>
    flaky.has(queryId) ? [] : [(toHundredths(scores) - (hundredths[index] as number)) / 100],
  );
  const result = { metric: metrics[0]?.name ?? '', flaky: [...flaky] };
  const [change] = (await bootstrapIntervals([Float64Array.from(differences)], seededRandom(1))) as [Interval];
  return { ...result, change, isSignificantDrop: change.high < 0 && change.mean < -smallestDrop };
}

const toHundredths = (scores: readonly number[]): number => Math.round((scores[0] ?? 0) * 100);
