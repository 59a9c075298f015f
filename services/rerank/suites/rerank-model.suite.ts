import { create, type MessageInitShape } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RerankCandidateSchema, ScoreScale } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import type { RerankModel } from '../models/rerank-model.ts';

/** Candidates of the contract from plain values. */
export const candidatesOf = (values: readonly MessageInitShape<typeof RerankCandidateSchema>[]) =>
  values.map((value) => create(RerankCandidateSchema, value));

/** Options of a call without a caller. */
export const noCaller = () => ({});

/** Scores of a model, by the candidates' index. */
export async function scoresOf(
  model: RerankModel,
  query: string,
  values: readonly MessageInitShape<typeof RerankCandidateSchema>[],
): Promise<number[]> {
  const scores: number[] = [];
  for await (const batch of model.rerank(query, candidatesOf(values), new AbortController().signal, noCaller)) {
    for (const { index, score } of batch.scores) scores[index] = score;
  }
  return scores;
}

/** The contract of every rerank model. `runs`: how often properties are tried. */
export function rerankModelSuite(name: string, createModel: () => Promise<RerankModel>, runs = 100): void {
  describe(`${name} fulfils the port of rerank models`, () => {
    let model: RerankModel;
    beforeAll(async () => {
      model = await createModel();
    });
    afterAll(() => model.close());

    const word = fc.constantFrom(
      'refund',
      'Returns',
      'E-07',
      'PPR-9087',
      '退货',
      '运费',
      '七天',
      '7 days',
      '！',
      'the',
    );
    const phrase = fc.array(word, { maxLength: 12 }).map((words) => words.join(' '));
    const text = fc.oneof(phrase, fc.string({ unit: 'binary', maxLength: 40 }));
    const candidate = fc.record(
      { text, title: text, prior: fc.double({ min: 0, max: 1, noNaN: true }) },
      { requiredKeys: ['text', 'title'] },
    );
    const candidates = fc.array(candidate, { minLength: 1, maxLength: 12 });

    test('every candidate gets one score, on the scale that the model declares', async () => {
      await fc.assert(
        fc.asyncProperty(text, candidates, async (query, values) => {
          const scores = await scoresOf(model, query, values);
          expect(scores).toHaveLength(values.length);
          for (const score of scores) {
            expect(Number.isFinite(score)).toBe(true);
            if (model.scale === ScoreScale.UNIT) expect(score >= 0 && score <= 1).toBe(true);
          }
        }),
        { numRuns: runs },
      );
    });

    test('the order of the candidates changes no score', async () => {
      await fc.assert(
        fc.asyncProperty(text, candidates, fc.infiniteStream(fc.nat()), async (query, values, dice) => {
          const order = values.map((_, index) => ({ index, roll: dice.next().value as number }));
          order.sort((a, b) => a.roll - b.roll);
          const scores = await scoresOf(model, query, values);
          const shuffled = await scoresOf(
            model,
            query,
            order.map(({ index }) => values[index] as (typeof values)[0]),
          );
          for (const [place, { index }] of order.entries())
            expect(shuffled[place]).toBeCloseTo(scores[index] ?? NaN, 9);
        }),
        { numRuns: runs },
      );
    });

    test('a passage that answers comes before one that does not', async () => {
      const [off, on] = await scoresOf(model, '退货运费由谁承担', [
        { text: '门店每天十点开门，晚上九点关门。' },
        { text: '因个人原因退货，运费由买家承担；质量问题的退货运费由我们承担。' },
      ]);
      expect(on).toBeGreaterThan(off ?? NaN);
    });

    test('as many candidates as it declares are taken', async () => {
      const values = Array.from({ length: model.maxCandidates }, (_, index) => ({ text: `passage ${index}` }));
      expect(await scoresOf(model, 'passage 7', values)).toHaveLength(values.length);
    });

    test('a call that was given up throws the reason', async () => {
      const reason = new Error('gone');
      const batches = model.rerank('a', candidatesOf([{ text: 'a' }]), AbortSignal.abort(reason), noCaller);
      await expect(batches[Symbol.asyncIterator]().next()).rejects.toBe(reason);
    });
  });
}
