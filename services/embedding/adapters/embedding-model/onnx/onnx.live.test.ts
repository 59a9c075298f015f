import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { skipped } from '#kit/testing/server.ts';
import type { EmbeddingModel } from '../../../models/embedding-model.ts';
import { embeddingModelSuite } from '../../../suites/embedding-model.suite.ts';
import { createWith, failureOf } from '../../../testing/vendor.ts';
import { adapter } from './index.ts';

// The real package and the real all-MiniLM-L6-v2.

const packageDir = process.env.RAGMESH_TRANSFORMERS_DIR ?? '';
const modelDir = process.env.RAGMESH_MINILM_DIR ?? '';
const isHere =
  existsSync(join(packageDir || '.', 'node_modules/@huggingface/transformers')) &&
  existsSync(join(modelDir || '?', 'config.json'));
const advice =
  'npm install @huggingface/transformers in RAGMESH_TRANSFORMERS_DIR; all-MiniLM-L6-v2 in ONNX in RAGMESH_MINILM_DIR';

describe.skipIf(!isHere && skipped('onnx', 10, advice))('all-MiniLM-L6-v2', () => {
  const create = (given = {}) => createWith(adapter, { package_dir: packageDir, model_dir: modelDir, ...given });
  let model: EmbeddingModel;
  const never = new AbortController().signal;
  beforeAll(async () => {
    model = await create();
  });
  afterAll(() => model.close());
  const embed = async (texts: string[]) => (await model.embed(texts, Purpose.DOCUMENT, never)).vectors;

  embeddingModelSuite('onnx with all-MiniLM-L6-v2', create);

  test('the folder says what it is', () => {
    expect(model).toMatchObject({ dimensions: 384, maxInputTokens: 256 });
    expect(model.name).toContain('384');
  });

  test('similarities are those that its makers publish', async () => {
    // sbert.net, "Quickstart": model.similarity(embeddings, embeddings) of all-MiniLM-L6-v2.
    const vectors = await embed(['The weather is lovely today.', "It's so sunny outside!", 'He drove to the stadium.']);
    const similarity = (a: number, b: number) => dot(vectors[a], vectors[b]);
    expect(similarity(0, 1)).toBeCloseTo(0.666, 3);
    expect(similarity(0, 2)).toBeCloseTo(0.1046, 3);
    expect(similarity(1, 2)).toBeCloseTo(0.1411, 3);
  });

  test('meaning counts if no word is shared', async () => {
    const [question, near, far] = await embed([
      'How do I get my money back?',
      'Refunds take five days.',
      'The kettle holds two litres.',
    ]);
    expect(dot(question, near)).toBeGreaterThan(dot(question, far) + 0.2);
  });

  test('a text of 257 tokens is refused and named', async () => {
    const failure = await failureOf(embed(['short', 'hello '.repeat(300)]));
    expect(failure).toMatchObject({ name: 'TextTooLongError', textIndex: 1 });
  });

  test('a large batch leaves the event loop free', async () => {
    let longestMs = 0;
    let last = performance.now();
    const timer = setInterval(() => {
      longestMs = Math.max(longestMs, performance.now() - last);
      last = performance.now();
    }, 5);
    const startedAt = performance.now();
    await embed(
      Array.from({ length: 32 }, (_, index) => `Section ${index}. ${'The refund policy covers shoes. '.repeat(30)}`),
    );
    const tookMs = performance.now() - startedAt;
    clearInterval(timer);
    process.stderr.write(
      `32 texts of 200 tokens: ${tookMs.toFixed(0)} ms; longest pause of the event loop ${longestMs.toFixed(0)} ms\n`,
    );
    expect(longestMs).toBeLessThan(Math.max(100, tookMs / 4));
  });
});

function dot(a: Float32Array | undefined, b: Float32Array | undefined): number {
  let sum = 0;
  for (const [index, value] of (a ?? new Float32Array()).entries()) sum += value * (b?.[index] ?? Number.NaN);
  return sum;
}
