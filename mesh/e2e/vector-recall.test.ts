import { describeVectorRecall } from '../../services/retrieval/suites/vector-recall.suite.ts';
import { collectVectors, growVectors } from '../../services/retrieval/testing/vectors.ts';
import { embedSample } from './testing/sample-vectors.ts';

describeVectorRecall('the vectors of the embedding service', async () => {
  const { passages, questions } = await embedSample();
  const vectors = collectVectors(passages.dimensions, 16_000, growVectors(passages, 16_000, 3));
  return { vectors, questions };
});
