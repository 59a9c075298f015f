import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TextTooLongError } from '../models/embedding-model.ts';
import { embedTruncated } from './truncate.ts';

const vectorsOf = (texts: readonly string[]) => ({
  vectors: texts.map(({ length }) => new Float32Array([length])),
  promptTokens: texts.length,
  reported: false,
});

test.each([true, false])(
  'texts are cut until the model takes them, whether or not it says which (%s)',
  async (says) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: 'grapheme', maxLength: 400 }), { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 64, max: 300 }),
        async (texts, limit) => {
          const embed = async (given: readonly string[]) => {
            const index = given.findIndex(({ length }) => length > limit);
            if (index >= 0) throw new TextTooLongError(says ? index : undefined);
            for (const [position, text] of given.entries()) {
              expect(texts[position]?.startsWith(text)).toBe(true);
              expect(text.isWellFormed()).toBe(true);
            }
            return vectorsOf(given);
          };
          const { vectors, truncatedCount } = await embedTruncated(texts, 0, embed);
          expect(vectors).toHaveLength(texts.length);
          const cut = vectors.filter((vector, index) => vector[0] !== texts[index]?.length).length;
          expect(truncatedCount).toBe(cut);
          if (texts.every(({ length }) => length <= limit)) expect(cut).toBe(0);
        },
      ),
    );
  },
);

test('a model that refuses whatever it gets is asked a bounded number of times', async () => {
  let calls = 0;
  const refusing = async () => {
    calls++;
    throw new TextTooLongError(0);
  };
  await expect(embedTruncated(['a'.repeat(5000)], 8, refusing)).rejects.toBeInstanceOf(TextTooLongError);
  expect(calls).toBe(12);
});
