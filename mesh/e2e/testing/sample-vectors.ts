import { readdirSync, readFileSync } from 'node:fs';
import { EmbeddingService, Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { fromVector } from '#kit/base/vectors.ts';
import { startTestMesh } from '#kit/testing/mesh.ts';
import { collectVectors, type Vectors } from '../../../services/retrieval/testing/vectors.ts';
import { services } from '../../run.ts';

const deployments = new URL('../../../deployments/', import.meta.url);

/**
 * Returns the vectors of the embedding service's default model for the paragraphs of the sample knowledge base, and for its questions. A question has
 * a value in few dimensions, a passage in half of them.
 */
export async function embedSample(): Promise<{ passages: Vectors; questions: Vectors }> {
  await using mesh = await startTestMesh(services.filter(({ name }) => name === 'embedding'));
  const embed = async (inputs: string[], purpose: Purpose): Promise<Vectors> => {
    const vectors: Float32Array[] = [];
    const batches = mesh.client(EmbeddingService).embed({ inputs, purpose }, await mesh.as());
    for await (const batch of batches) vectors.push(...batch.vectors.map((vector) => fromVector(vector)));
    return collectVectors(vectors[0]?.length ?? 0, vectors.length, vectors);
  };
  return {
    passages: await embed(readPassages(), Purpose.DOCUMENT),
    questions: await embed(readQuestions(), Purpose.QUERY),
  };
}

function readPassages(): string[] {
  return ['sample/en/', 'sample/zh/'].flatMap((folder) =>
    readdirSync(new URL(folder, deployments))
      .filter((file) => file.endsWith('.md'))
      .flatMap((file) => readFileSync(new URL(folder + file, deployments), 'utf8').split(/\n\n+/))
      .filter((text) => text.length > 60),
  );
}

function readQuestions(): string[] {
  const lines = readFileSync(new URL('sample-gold/queries.jsonl', deployments), 'utf8').split('\n').filter(Boolean);
  return lines.slice(0, 60).map((line) => (JSON.parse(line) as { text: string }).text);
}
