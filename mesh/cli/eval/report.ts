import { StageSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { Comparison, EvaluationRun, Metric } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { enumName } from '#kit/base/enums.ts';
import type { Interval } from '#kit/statistics/bootstrap.ts';
import type { BaselineChange } from './baseline.ts';
import type { Tuned } from './variants.ts';

/** Returns a run's metrics and times as text. */
export function describeRun(run: EvaluationRun): string {
  const rows = run.metrics.map(
    ({ name, mean, low, high }) =>
      `  ${name.padEnd(10)} ${mean.toFixed(4)}   95 % interval ${low.toFixed(4)} to ${high.toFixed(4)}`,
  );
  const times = `  p50 ${(Number(run.p50Us) / 1000).toFixed(1)} ms, p99 ${(Number(run.p99Us) / 1000).toFixed(1)} ms per question`;
  const failed = run.failedCount === 0 ? '' : `, ${run.failedCount} failed (counted as 0)`;
  const degraded = [run, ...run.comparisons].flatMap(describeDegraded);
  return `${[`${run.dataSet}: ${run.queryCount} questions${failed}`, ...rows, times, ...degraded].join('\n')}\n`;
}

/** Reports whether every question of a run and of its variants was searched by every stage. */
export function isWhole(run: EvaluationRun): boolean {
  return [run, ...run.comparisons].every(({ degradedCount }) => degradedCount === 0);
}

function describeDegraded({ degradedStages, ...way }: EvaluationRun | Comparison): string[] {
  const name = 'name' in way ? `${way.name}: ` : '';
  return degradedStages.map(
    ({ stage, questionCount, reason }) =>
      `  ${name}${questionCount} questions without ${enumName(StageSchema, stage).toLowerCase()}: ${reason}`,
  );
}

/** Returns what each feature gains, as a table: the comparisons of a run with variants. */
export function describeAblation(run: EvaluationRun): string {
  const shown = ['nDCG@10', 'Hit@5'];
  const pick = (metrics: readonly Metric[], wanted: string) => metrics.find(({ name }) => name === wanted);
  const head = `  ${'without it'.padEnd(26)}${shown.map((name) => `${name.padEnd(9)}${'the feature gains (95 % interval)'.padEnd(36)}`).join('')}`;
  const rows = run.comparisons.map(({ name, metrics, gains }) => {
    const cells = shown.map((metric) => {
      const mean = pick(metrics, metric)?.mean ?? 0;
      const gain = pick(gains, metric);
      return `${mean.toFixed(4).padEnd(9)}${(gain === undefined ? '' : signedInterval(gain)).padEnd(36)}`;
    });
    return `  ${name.padEnd(26)}${cells.join('')}`.trimEnd();
  });
  return `${[head.trimEnd(), ...rows].join('\n')}\n`;
}

/** Returns the way to search that was found, as a fragment of the configuration if it is a sure gain. */
export function describeTuned(corpus: string, { vectorWeight, rerank, gain, rerankGain }: Tuned): string {
  const settings = `vector_weight: ${vectorWeight}${rerank ? '' : ', rerank: false'}`;
  const figures = `on the questions that did not choose it: ${signedInterval(gain)} nDCG@10`;
  const ofRerank = `  there the reranker gains ${signedInterval(rerankGain)}\n`;
  if (gain.low <= 0) return `  best ${settings}, but no sure gain ${figures}: keep the present one\n${ofRerank}`;
  return `  ${settings} gains ${figures}.\n${ofRerank}For ragmesh.yaml:\n\nretrieval:\n  corpora:\n    ${corpus}: { ${settings} }\n`;
}

/** Returns the change since the baseline as text, and the questions that were not compared. */
export function describeChange({ metric, change, isSignificantDrop, flaky }: BaselineChange): string {
  const verdict = isSignificantDrop ? 'WORSE than the baseline' : 'no worse than the baseline';
  const names = `${flaky.slice(0, namedFlaky).join(', ')}${flaky.length > namedFlaky ? ', …' : ''}`;
  const left = flaky.length === 0 ? '' : `  flaky, so not compared (${flaky.length}): ${names}\n`;
  return `  ${verdict}: ${signedInterval(change)} ${metric}\n${left}`;
}

/** Flaky questions that are named. */
const namedFlaky = 20;

const signed = (value: number): string => `${value < 0 ? '' : '+'}${value.toFixed(4)}`;
const signedInterval = ({ mean, low, high }: Pick<Interval, 'mean' | 'low' | 'high'>): string =>
  `${signed(mean)} (${signed(low)} to ${signed(high)})`;
