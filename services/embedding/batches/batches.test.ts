import fc from 'fast-check';
import { expect, test } from 'vitest';
import { estimateTokens } from '#kit/text/tokens-count.ts';
import { cutBatches } from './batches.ts';

test('batches hold every text once, in order, and none is too large', () => {
  const bounds = fc.record({ size: fc.integer({ min: 1, max: 10 }), tokens: fc.integer({ min: 0, max: 20 }) });
  fc.assert(
    fc.property(fc.array(fc.string()), bounds, (texts, { size, tokens }) => {
      const batches = cutBatches(texts, { size, tokens });
      expect(batches.flatMap((batch) => batch.texts)).toEqual(texts);
      for (const { firstIndex, texts: cut } of batches) {
        expect(cut.length).toBeLessThanOrEqual(size);
        expect(texts[firstIndex]).toBe(cut[0]);
        const sum = cut.reduce((total, text) => total + estimateTokens(text), 0);
        expect(tokens === 0 || sum <= tokens || cut.length === 1).toBe(true);
      }
    }),
  );
});
