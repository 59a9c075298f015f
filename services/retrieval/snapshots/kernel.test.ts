import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createVectorBlock } from './vector-block.ts';

const float = fc.float({ min: -1, max: 1, noNaN: true });
const bytesOf = (vector: Float32Array) => new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);

test('the rows that come back are those with the greatest dot products, in order, of those that may be seen', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }).chain((dimensions) =>
        fc.record({
          rows: fc.array(
            fc.record({
              vector: fc.array(float, { minLength: dimensions, maxLength: dimensions }),
              aclId: fc.integer({ min: 0, max: 3 }),
            }),
            { maxLength: 60 },
          ),
          query: fc.array(float, { minLength: dimensions, maxLength: dimensions }),
        }),
      ),
      fc.subarray([0, 1, 2, 3]),
      fc.integer({ min: 1, max: 10 }),
      ({ rows, query }, aclIds, limit) => {
        const vectors = rows.map(({ vector, aclId }) => ({ vector: bytesOf(Float32Array.from(vector)), aclId }));
        const block = createVectorBlock(rows.length, query.length, vectors);
        const { positions, scores } = block.search(Float32Array.from(query), aclIds, limit);
        const expected = rows
          .map(({ vector, aclId }, position) => ({
            position,
            aclId,
            score: vector.reduce(
              (sum, value, index) => sum + Math.fround(value) * Math.fround(query[index] as number),
              0,
            ),
          }))
          .filter(({ aclId }) => aclIds.includes(aclId))
          .sort((a, b) => b.score - a.score);
        expect(positions).toHaveLength(Math.min(limit, expected.length));
        for (const [index, score] of scores.entries()) {
          expect(score).toBeCloseTo(expected[index]?.score ?? Number.NaN, 4);
          expect(aclIds).toContain(rows[positions[index] as number]?.aclId);
        }
        expect(new Set(positions).size).toBe(positions.length);
      },
    ),
  );
});
