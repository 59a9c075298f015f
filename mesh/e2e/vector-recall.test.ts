import { readdirSync, readFileSync } from 'node:fs';
import { EmbeddingService, Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { fromVector } from '#kit/base/vectors.ts';
import { startTestMesh } from '#kit/testing/mesh.ts';
import { describeVectorRecall } from '../../services/retrieval/suites/vector-recall.suite.ts';
import { growVectors, type Vectors } from '../../services/retrieval/testing/vectors.ts';
import { services } from '../run.ts';

// The vectors that the embedded default searches: a question has a value in few of its dimensions, a passage in half of them.

const sample = new URL('../../deployments/', import.meta.url);

function passages(): string[] {
  return ['sample/en/', 'sample/zh/'].flatMap((folder) =>
    readdirSync(new URL(folder, sample))
      .filter((file) => file.endsWith('.md'))
      .flatMap((file) => readFileSync(new URL(folder + file, sample), 'utf8').split(/\n\n+/))
      .filter((text) => text.length > 60),
  );
}

function questions(): string[] {
  const lines = readFileSync(new URL('sample-gold/queries.jsonl', sample), 'utf8').split('\n').filter(Boolean);
  return lines.slice(0, 60).map((line) => (JSON.parse(line) as { text: string }).text);
}

describeVectorRecall('the vectors of the embedding service', async () => {
  await using mesh = await startTestMesh(services.filter(({ name }) => name === 'embedding'));
  const embed = async (inputs: string[], purpose: Purpose): Promise<Vectors> => {
    const vectors: Float32Array[] = [];
    const batches = mesh.client(EmbeddingService).embed({ inputs, purpose }, await mesh.as());
    for await (const batch of batches) vectors.push(...batch.vectors.map((vector) => fromVector(vector)));
    const dimensions = vectors[0]?.length ?? 0;
    const values = new Float32Array(vectors.length * dimensions);
    for (const [index, vector] of vectors.entries()) values.set(vector, index * dimensions);
    return { dimensions, values };
  };
  const real = await embed(passages(), Purpose.DOCUMENT);
  return { vectors: growVectors(real, 16_000, 3), questions: await embed(questions(), Purpose.QUERY) };
});
