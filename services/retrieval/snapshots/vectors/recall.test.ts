import { describeVectorRecall } from '../../suites/vector-recall.suite.ts';
import { denseVectors, type Vectors } from '../../testing/vectors.ts';

// mesh/e2e has the same with the vectors of the embedding service.

describeVectorRecall('dense vectors of 384 dimensions', async () => {
  const count = 10_000;
  const all = denseVectors(count + 30, 384, 1);
  const part = (from: number, to: number): Vectors => ({
    dimensions: all.dimensions,
    values: all.values.subarray(from * all.dimensions, to * all.dimensions),
  });
  return { vectors: part(0, count), questions: part(count, count + 30) };
});
