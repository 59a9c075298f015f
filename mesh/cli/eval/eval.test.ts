import { create } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { type EvaluationRun, EvaluationRunSchema } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { type BaselineSet, compareWithBaseline, toBaselineSet } from './baseline.ts';
import { describeAblation, describeChange, describeRun, describeTuned, isWhole } from './report.ts';
import { ablationVariants, chooseSearch, tuningVariants } from './variants.ts';

const questions = (scoreOf: (index: number) => number) =>
  Array.from({ length: 60 }, (_, index) => ({ queryId: `q${100 + index}`, scores: [scoreOf(index), 1] }));
const runOf = (scoreOf: (index: number) => number) => create(EvaluationRunSchema, { questions: questions(scoreOf) });

/** Compares with a run that has the same result when it is asked again. */
const compare = (run: EvaluationRun, baseline: BaselineSet) => compareWithBaseline(run, baseline, async () => run);

test('the same figures are no worse than the baseline', async () => {
  const run = runOf((index) => (index % 7) / 7);
  const { change, isSignificantDrop } = await compare(run, toBaselineSet(run));
  expect(change).toEqual({ mean: 0, low: 0, high: 0 });
  expect(isSignificantDrop).toBe(false);
});

test.each([
  ['a loss on many questions', (index: number) => (index % 3 === 0 ? 0.5 : 0.8), true],
  ['a loss on a single question', (index: number) => (index === 0 ? 0 : 0.8), false],
  ['a gain', () => 0.9, false],
])('%s is a significant drop: %#', async (_, scoreOf, isDrop) => {
  const { isSignificantDrop } = await compare(runOf(scoreOf), toBaselineSet(runOf(() => 0.8)));
  expect(isSignificantDrop).toBe(isDrop);
});

test('questions that have another result when they are asked again are named, and not compared', async () => {
  const baseline = toBaselineSet(runOf(() => 0.8));
  const run = runOf((index) => (index % 3 === 0 ? 0.5 : 0.8));
  const again = runOf((index) => (index % 3 === 0 && index > 0 ? 0.7 : 0.8));
  const result = await compareWithBaseline(run, baseline, async () => again);
  expect(result).toMatchObject({ isSignificantDrop: false, change: { mean: 0 } });
  expect(result.flaky).toEqual(run.questions.filter((_, index) => index % 3 === 0).map(({ queryId }) => queryId));
  expect(describeChange(result)).toContain('flaky, so not compared (20): q100, q103,');
  const steady = await compareWithBaseline(run, baseline, async () =>
    runOf((index) => (index === 0 ? 0.8 : index % 3 === 0 ? 0.5 : 0.8)),
  );
  expect(steady).toMatchObject({ isSignificantDrop: true, flaky: ['q100'] });
});

test.each([
  ['failed in part', { failedCount: 1 }],
  ['lacked a stage', { degradedCount: 1 }],
  ['has another figure for every question', {}],
])('a loss counts if the second run %s', async (_, counts) => {
  const baseline = toBaselineSet(runOf(() => 0.8));
  const again = Object.assign(
    runOf(() => 0),
    counts,
  );
  const result = await compareWithBaseline(
    runOf(() => 0.5),
    baseline,
    async () => again,
  );
  expect(result).toMatchObject({ isSignificantDrop: true, flaky: [] });
});

test('a baseline of other questions is refused', async () => {
  const baseline = { ...toBaselineSet(runOf(() => 1)), hundredths: [100] };
  await expect(
    compare(
      runOf(() => 1),
      baseline,
    ),
  ).rejects.toThrow('write it again');
});

describe('the best way to search', () => {
  const template = { corpora: ['help'], query: '-' };
  /** A run whose present way has .8, and variants with these scores. */
  const tunedBy = (scoreOf: (vectorWeight: number, rerank: boolean) => number) => {
    const comparisons = tuningVariants(template).map(({ name, template: search }) => ({
      name: name ?? '',
      questions: questions(() => scoreOf(search?.vectorWeight ?? NaN, search?.rerank ?? true)),
    }));
    return chooseSearch(create(EvaluationRunSchema, { questions: questions(() => 0.8), comparisons }));
  };

  test('is chosen on half of the questions, and its gain is measured on the others', async () => {
    // .4 is best; the others lose by their distance.
    const tuned = await tunedBy((vectorWeight, rerank) => 0.9 - Math.abs(vectorWeight - 0.4) - (rerank ? 0 : 0.05));
    expect(tuned).toMatchObject({ vectorWeight: 0.4, rerank: true });
    expect(tuned.gain.mean).toBeCloseTo(0.1, 5);
    expect(tuned.rerankGain.mean).toBeCloseTo(0.05, 5);
    expect(describeTuned('help', tuned)).toContain('help: { vector_weight: 0.4 }');
    const unsure = { ...tuned, gain: { mean: 0.01, low: -0.01, high: 0.03 } };
    expect(describeTuned('help', unsure)).toContain('no sure gain');
  });

  test('is without the reranker if that loses', async () => {
    const tuned = await tunedBy((vectorWeight, rerank) => 0.9 - Math.abs(vectorWeight - 0.2) - (rerank ? 0.03 : 0));
    expect(tuned).toMatchObject({ vectorWeight: 0.2, rerank: false });
    expect(tuned.rerankGain.mean).toBeCloseTo(-0.03, 5);
    expect(describeTuned('help', tuned)).toContain('help: { vector_weight: 0.2, rerank: false }');
  });
});

test('a run that lacked a stage, or whose variant did, is not whole, and says so', () => {
  const late = {
    degradedCount: 167,
    degradedStages: [{ stage: Stage.RERANK, questionCount: 167, reason: 'no result after 300 ms' }],
  };
  const runs = [late, { comparisons: [{ name: 'no terms', ...late }] }].map((init) =>
    create(EvaluationRunSchema, init),
  );
  expect(runs.map(isWhole)).toEqual([false, false]);
  expect(isWhole(create(EvaluationRunSchema, { comparisons: [{ name: 'no terms' }] }))).toBe(true);
  expect(runs.map((run) => describeRun(run).trimEnd().split('\n').at(-1))).toEqual([
    '  167 questions without rerank: no result after 300 ms',
    '  no terms: 167 questions without rerank: no result after 300 ms',
  ]);
});

test('every variant of the ablation searches the same corpora', () => {
  const variants = ablationVariants({ corpora: ['help'], query: '-' });
  expect(new Set(variants.map(({ name }) => name)).size).toBe(variants.length);
  for (const { template } of variants) expect(template).toMatchObject({ corpora: ['help'], query: '-' });
  const run = create(EvaluationRunSchema, { comparisons: variants.map(({ name }) => ({ name: name ?? '' })) });
  expect(describeAblation(run).trimEnd().split('\n')).toHaveLength(variants.length + 1);
});
