import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ScoreScale } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { errorInfoOf } from '#kit/base/errors.ts';
import { readScores } from './read-scores.ts';

const unit = fc.double({ min: 0, max: 1, noNaN: true });

test('scores come by their index, whatever their order in the reply', () => {
  fc.assert(
    fc.property(fc.array(unit), fc.infiniteStream(fc.nat()), (scores, dice) => {
      const rows = scores.map((score, index) => ({ index, score, roll: dice.next().value as number }));
      rows.sort((a, b) => a.roll - b.roll);
      expect(readScores(rows, scores.length, ScoreScale.UNIT, 'x')).toEqual(scores);
    }),
  );
});

test('a reply with any one fault is refused', () => {
  const fault = fc.constantFrom<(rows: { index: unknown; score: unknown }[], at: number) => void>(
    (rows, at) => rows.splice(at, 1),
    (rows, at) => rows.push({ ...(rows[at] as (typeof rows)[0]) }),
    (rows, at) => Object.assign(rows[at] as object, { index: rows.length }),
    (rows, at) => Object.assign(rows[at] as object, { index: -1 }),
    (rows, at) => Object.assign(rows[at] as object, { index: 0.5 }),
    (rows, at) => Object.assign(rows[at] as object, { index: '0' }),
    (rows, at) => Object.assign(rows[at] as object, { score: Number.NaN }),
    (rows, at) => Object.assign(rows[at] as object, { score: Number.POSITIVE_INFINITY }),
    (rows, at) => Object.assign(rows[at] as object, { score: '0.5' }),
    (rows, at) => Object.assign(rows[at] as object, { score: 1.5 }),
    (rows, at) => Object.assign(rows, { [at]: null }),
  );
  fc.assert(
    fc.property(fc.array(unit, { minLength: 1 }), fc.nat(), fault, (scores, at, apply) => {
      const rows = scores.map((score, index) => ({ index, score }));
      apply(rows, at % rows.length);
      let error: unknown;
      try {
        readScores(rows, scores.length, ScoreScale.UNIT, 'x');
      } catch (thrown) {
        error = thrown;
      }
      expect(errorInfoOf(error)?.reason).toBe('PROVIDER_REPLY_INVALID');
    }),
  );
});

test('logits are not held to 0 to 1, and rounding is no fault', () => {
  expect(readScores([{ index: 0, score: -12.5 }], 1, ScoreScale.LOGIT, 'x')).toEqual([-12.5]);
  expect(readScores([{ index: 0, score: 1.00001 }], 1, ScoreScale.UNIT, 'x')).toEqual([1]);
});
