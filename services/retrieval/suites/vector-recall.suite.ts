import { describe, expect, test } from 'vitest';
import { eachVector, exactScores, filtersOf, openVectors, type Vectors, vectorOf } from '../testing/vectors.ts';

/**
 * Asserts the recall of a search in memory against exact search, with and without filters. A hit counts if its score is not below the exact one
 * of the last place, so that ties count.
 */
export function describeVectorRecall(
  name: string,
  read: () => Promise<{ vectors: Vectors; questions: Vectors }>,
): void {
  describe(`recall of ${name}`, async () => {
    const { vectors, questions } = await read();
    const count = vectors.values.length / vectors.dimensions;
    const search = openVectors(count, vectors.dimensions, eachVector(vectors));
    const asked = Array.from({ length: questions.values.length / questions.dimensions }, (_, index) => {
      const question = vectorOf(questions, index);
      return { question, scores: exactScores(vectors, question) };
    });
    const recall = (passes: (position: number) => boolean, limit: number) => {
      let foundCount = 0;
      let wantedCount = 0;
      for (const { question, scores } of asked) {
        const best = scores
          .filter((_, position) => passes(position))
          .sort()
          .subarray(-limit);
        const hits = search.nearest(question, passes, limit);
        expect(hits.every(({ position }) => passes(position))).toBe(true);
        foundCount += hits.filter(({ score }) => score >= (best[0] as number) - 1e-9).length;
        wantedCount += best.length;
      }
      return foundCount / wantedCount;
    };
    test.each(Object.entries(filtersOf(count, 5)))('%s: of 10 and of 50 at least .995 are found', (_name, passes) => {
      expect(recall(passes, 10)).toBeGreaterThanOrEqual(0.995);
      expect(recall(passes, 50)).toBeGreaterThanOrEqual(0.995);
    });
  });
}
