import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '#kit/statistics/bootstrap.ts';
import { eachVector, exactScores, type Vectors, vectorOf } from '../../testing/vectors.ts';
import { createScanEngine, type EngineKind } from './scan-engine.ts';
import { openVectorSegment } from './vector-search.ts';
import { createVectorSegment, eraseVectors, vectorAt, vectorSegmentBytes } from './vector-segment.ts';

const kinds: readonly EngineKind[] = ['relaxed', 'plain', 'script'];

/** Vectors of length 1, of which a share of the values is 0; some are equal, and some all zero. */
function anyVectors(count: number, dimensions: number, zeros: number, seed: number): Vectors {
  const random = seededRandom(seed);
  const values = new Float32Array(count * dimensions);
  for (let row = 0; row < count; row++) {
    const vector = values.subarray(row * dimensions, (row + 1) * dimensions);
    const chance = random();
    if (chance < 0.02) continue;
    if (chance < 0.2 && row > 0) {
      vector.set(values.subarray((row - 1) * dimensions, row * dimensions));
      continue;
    }
    for (let index = 0; index < dimensions; index++) vector[index] = random() < zeros ? 0 : random() * 2 - 1;
    const length = Math.hypot(...vector) || 1;
    for (let index = 0; index < dimensions; index++) vector[index] = (vector[index] as number) / length;
  }
  return { dimensions, values };
}

const segmentOf = (vectors: Vectors) =>
  createVectorSegment(vectors.values.length / vectors.dimensions, vectors.dimensions, eachVector(vectors));

/** The best rows by exact scores. */
function best(vectors: Vectors, question: Float32Array, passes: (position: number) => boolean, limit: number) {
  return Array.from(exactScores(vectors, question), (score, position) => ({ position, score }))
    .filter(({ position }) => passes(position) && vectorOf(vectors, position).some((value) => value !== 0))
    .sort((a, b) => b.score - a.score || a.position - b.position)
    .slice(0, limit);
}

const anySearch = fc.record({
  count: fc.integer({ min: 0, max: 3000 }),
  dimensions: fc.integer({ min: 1, max: 100 }),
  zeros: fc.constantFrom(0, 0.5, 0.9),
  seed: fc.integer(),
  limit: fc.integer({ min: 1, max: 60 }),
  passing: fc.constantFrom(1, 0.5, 0.1, 0.01, 0),
});

test('a search finds what an exact search finds, whatever rows pass', () => {
  fc.assert(
    fc.property(anySearch, ({ count, dimensions, zeros, seed, limit, passing }) => {
      const vectors = anyVectors(count, dimensions, zeros, seed);
      const question = anyVectors(9, dimensions, zeros, seed + 1);
      const chances = Float32Array.from({ length: count }, seededRandom(seed + 2));
      const passes = (position: number) => (chances[position] as number) < passing;
      const search = openVectorSegment(segmentOf(vectors), createScanEngine());
      for (const asked of eachVector(question)) {
        const expected = best(vectors, asked, passes, limit);
        const found = search.nearest(asked, passes, limit);
        expect(found.map(({ score }) => score)).toEqual(expected.map(({ score }) => expect.closeTo(score, 9)));
        expect(new Set(found.map(({ position }) => position)).size).toBe(found.length);
        expect(found.every(({ position }) => passes(position))).toBe(true);
        const listed = Array.from({ length: count }, (_, position) => position).filter(passes);
        expect(search.nearestOf(listed, asked, passes, limit)).toEqual(found);
      }
    }),
    { numRuns: 60 },
  );
});

test('of equal vectors those at the lower positions are found', () => {
  const one = anyVectors(1, 32, 0, 3).values;
  const segment = createVectorSegment(20_000, 32, Array<Float32Array>(20_000).fill(one));
  const found = openVectorSegment(segment, createScanEngine()).nearest(one, (position) => position % 2 === 1, 20);
  expect(found.map(({ position }) => position)).toEqual(Array.from({ length: 20 }, (_, index) => 2 * index + 1));
});

test('an erased row leaves no value behind, and the other rows are found as before', () => {
  const vectors = anyVectors(2000, 30, 0.5, 8);
  const segment = segmentOf(vectors);
  const search = openVectorSegment(segment, createScanEngine());
  const question = vectorOf(vectors, 77);
  const erased = new Set(best(vectors, question, () => true, 5).map(({ position }) => position));
  eraseVectors(segment, erased);
  for (const position of erased) expect(vectorAt(segment, position)).toEqual(new Float32Array(30));
  const passes = (position: number) => !erased.has(position);
  const expected = best(vectors, question, passes, 10).map(({ position }) => position);
  expect(search.nearest(question, () => true, 10).map(({ position }) => position)).toEqual(expected);
});

describe('every engine', () => {
  test.each([0, 0.5, 0.95])('gives the same hits with the same scores, with %d of the values zero', (zeros) => {
    const vectors = anyVectors(3000, 70, zeros, 11);
    const segment = segmentOf(vectors);
    const searches = kinds.map((kind) => openVectorSegment(segment, createScanEngine(kind)));
    for (const question of eachVector(anyVectors(20, 70, zeros, 12))) {
      const [first, ...others] = searches.map((search) => search.nearest(question, (row) => row % 3 > 0, 40));
      for (const other of others) expect(other).toEqual(first);
    }
  });

  test('computes the same values, bit for bit, also at the largest ones', () => {
    const dimensions = 8192;
    const rows = Array.from({ length: 300 }, (_, row) => new Float32Array(dimensions).fill(row % 2 === 0 ? 1 : -1));
    const { blocks } = createVectorSegment(rows.length, dimensions, rows);
    if (blocks === undefined) throw new Error('no codes');
    const groups = Array.from({ length: dimensions / 4 }, (_, group) => ({ group, bytes: 0x7f7f7f7f }));
    const valuesOf = (kind: EngineKind, [added, subtracted]: (typeof groups)[], bias: number) => {
      const scan = createScanEngine(kind).attach(blocks.memory);
      scan.ask({ added: added as typeof groups, subtracted: subtracted as typeof groups }, blocks.blockRows);
      const { codes, scales, sums } = blocks;
      const block = { codes: 0, scales: scales.byteOffset, sums: sums.byteOffset, rowCount: 304 };
      expect(codes.byteOffset).toBe(0);
      const hitCount = scan.score(block, bias, 0.1, Number.NEGATIVE_INFINITY);
      return {
        positions: scan.positions.slice(0, 2 * hitCount),
        values: new Uint32Array(scan.values.slice(0, 2 * hitCount).buffer),
      };
    };
    const half = [groups.slice(0, 1000), groups.slice(1000)];
    for (const [parts, bias] of [
      [[groups, []], 0],
      [[groups, []], 64],
      [[[], groups], 0],
      [half, 0],
    ] as const) {
      const [relaxed, ...others] = kinds.map((kind) => valuesOf(kind, parts as (typeof groups)[], bias));
      expect(relaxed?.positions).toHaveLength(608);
      for (const other of others) expect(other).toEqual(relaxed);
    }
  });
});

test('the size is that of the memory', () => {
  const small = segmentOf(anyVectors(100, 256, 0, 1));
  expect(vectorSegmentBytes(small)).toBe(100 * 256 * 4);
  const count = 10_240;
  const large = vectorSegmentBytes(segmentOf(anyVectors(count, 256, 0, 1)));
  const expected = count * (256 * 4 + 256 + 8);
  expect(large).toBeGreaterThanOrEqual(expected);
  expect(large).toBeLessThan(expected + 65_536);
});
