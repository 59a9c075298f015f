import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import type { EmbeddingModel } from '../models/embedding-model.ts';

/** The contract of every embedding model. */
export function embeddingModelSuite(name: string, createModel: () => Promise<EmbeddingModel>): void {
  describe(`${name} fulfils the port of embedding models`, () => {
    let model: EmbeddingModel;
    const never = new AbortController().signal;
    const embed = async (texts: string[], purpose: Purpose = Purpose.DOCUMENT) =>
      (await model.embed(texts, purpose, never)).vectors;
    beforeAll(async () => {
      model = await createModel();
    });
    afterAll(() => model.close());

    test('it declares limits that a caller can use', () => {
      expect(model.name).not.toBe('');
      expect(model.dimensions).toBeGreaterThan(0);
      expect(model.maxBatch).toBeGreaterThan(0);
      expect(model.maxConcurrent).toBeGreaterThan(0);
    });

    test('a full batch gives a vector for each text, in order, of length 1', async () => {
      const texts = Array.from({ length: model.maxBatch }, (_, index) => `Return policy number ${index}. `.repeat(30));
      const vectors = await embed(texts);
      expect(vectors).toHaveLength(texts.length);
      for (const vector of vectors) {
        expect(vector).toHaveLength(model.dimensions);
        expect(Math.hypot(...vector)).toBeCloseTo(1, 4);
      }
      const [alone] = await embed([texts[3] as string]);
      expect(cosine(vectors[3] as Float32Array, alone as Float32Array)).toBeCloseTo(1, 4);
    });

    test('a text is nearer to one that shares its words than to one that shares none', async () => {
      const [question] = await embed(['how long does a refund take'], Purpose.QUERY);
      const [near, far] = await embed(['A refund takes five working days.', 'Our shop in Suzhou opens at ten.']);
      expect(cosine(question as Float32Array, near as Float32Array)).toBeGreaterThan(
        cosine(question as Float32Array, far as Float32Array),
      );
    });

    test('texts without a word are no error', async () => {
      for (const vector of await embed(['', '…', ' \n'])) {
        expect(vector).toHaveLength(model.dimensions);
        expect(vector.every(Number.isFinite)).toBe(true);
      }
    });

    test('a call that was given up before or while it runs rejects with the reason', async () => {
      const reason = new Error('gone');
      await expect(model.embed(['a'], Purpose.QUERY, AbortSignal.abort(reason))).rejects.toBe(reason);
      const controller = new AbortController();
      const texts = Array.from({ length: model.maxBatch }, () => 'return policy '.repeat(500));
      const running = model.embed(texts, Purpose.DOCUMENT, controller.signal);
      controller.abort(reason);
      await expect(running).rejects.toBe(reason);
    });
  });
}

function cosine(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, index) => sum + value * (b[index] as number), 0);
}
