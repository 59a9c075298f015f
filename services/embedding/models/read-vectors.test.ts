import fc from 'fast-check';
import { expect, test } from 'vitest';
import { errorInfoOf } from '#kit/base/errors.ts';
import { base64Of } from '../testing/vendor.ts';
import { type RawVector, readVectors } from './read-vectors.ts';

const dimensions = 3;
const number = fc.double({ min: -100, max: 100, noNaN: true });
const vector = fc
  .array(number, { minLength: dimensions, maxLength: dimensions })
  .filter((values) => Math.hypot(...values) > 1e-3);
const read = (rows: unknown, count: number, indexed = true) =>
  readVectors(rows, { dependency: 'x', count, dimensions, indexed });

test('vectors come by their index, of length 1, whatever their order, size and encoding in the reply', () => {
  fc.assert(
    fc.property(fc.array(vector), fc.infiniteStream(fc.nat()), fc.boolean(), (values, dice, isBase64) => {
      const rows = values.map((value, index) => ({
        index,
        embedding: isBase64 ? base64Of(value) : value,
        roll: dice.next().value as number,
      }));
      rows.sort((a, b) => a.roll - b.roll);
      const vectors = read(rows, values.length);
      for (const [index, value] of values.entries()) {
        const length = Math.hypot(...value);
        for (const [at, component] of value.entries()) expect(vectors[index]?.[at]).toBeCloseTo(component / length, 4);
      }
    }),
  );
});

test('a reply with any one fault is refused', () => {
  const fault = fc.constantFrom<(rows: (RawVector | null)[], at: number) => void>(
    (rows, at) => rows.splice(at, 1),
    (rows, at) => rows.push({ ...(rows[at] as RawVector) }),
    (rows, at) => Object.assign(rows[at] as object, { index: rows.length }),
    (rows, at) => Object.assign(rows[at] as object, { index: -1 }),
    (rows, at) => Object.assign(rows[at] as object, { index: 0.5 }),
    (rows, at) => Object.assign(rows[at] as object, { index: undefined }),
    (rows, at) => Object.assign(rows[at] as object, { embedding: [1, 2] }),
    (rows, at) => Object.assign(rows[at] as object, { embedding: [1, 2, 3, 4] }),
    (rows, at) => Object.assign(rows[at] as object, { embedding: [] }),
    (rows, at) => Object.assign(rows[at] as object, { embedding: [0, 0, 0] }),
    (rows, at) => Object.assign(rows[at] as object, { embedding: [1, Number.NaN, 1] }),
    // Finite as a number of JSON, and infinite as a float32.
    (rows, at) => Object.assign(rows[at] as object, { embedding: [1e300, 1, 1] }),
    (rows, at) => Object.assign(rows[at] as object, { embedding: [1, null, 1] }),
    (rows, at) => Object.assign(rows[at] as object, { embedding: [1, '2', 1] }),
    (rows, at) => Object.assign(rows[at] as object, { embedding: 'AAAA' }),
    (rows, at) => Object.assign(rows[at] as object, { embedding: base64Of([1, 2]) }),
    (rows, at) => Object.assign(rows[at] as object, { embedding: base64Of([Number.NaN, 1, 2]) }),
    (rows, at) => Object.assign(rows[at] as object, { embedding: undefined }),
    (rows, at) => Object.assign(rows, { [at]: null }),
  );
  fc.assert(
    fc.property(fc.array(vector, { minLength: 2 }), fc.nat(), fault, (values, at, apply) => {
      const rows: RawVector[] = values.map((embedding, index) => ({ index, embedding }));
      apply(rows, at % rows.length);
      let error: unknown;
      try {
        read(rows, values.length);
      } catch (thrown) {
        error = thrown;
      }
      expect(errorInfoOf(error)?.reason).toBe('PROVIDER_REPLY_INVALID');
    }),
    { numRuns: 300 },
  );
});

test.each([[{}], [undefined], ['[]'], [null]])('what is no list of vectors is refused: %j', (rows) => {
  expect(() => read(rows, 1)).toThrow('no list of vectors');
});

test('an error says nothing of the text and little of the reply', () => {
  expect(() => read([{ index: 'x'.repeat(1000), embedding: [1, 2, 3] }], 1)).toThrow(/index "x{19}\)$/);
});
