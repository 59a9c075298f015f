import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareRankings } from './compare.ts';

test('the figures of a comparison are shares, and 1 for equal rankings alone', () => {
  const ranking = fc.uniqueArray(fc.constantFrom(...'abcdefgh'), { maxLength: 8 });
  const toPassages = (ids: readonly string[]) => ids.map((chunkId) => ({ chunkId, text: chunkId }));
  fc.assert(
    fc.property(ranking, ranking, (live, candidate) => {
      const { same, overlap, ndcg, onlyLive, onlyCandidate } = compareRankings(toPassages(live), toPassages(candidate));
      for (const share of [overlap, ndcg]) expect(share >= 0 && share <= 1 + 1e-12).toBe(true);
      const isSame = String(live) === String(candidate);
      expect(same).toBe(isSame ? 1 : 0);
      if (isSame) expect([overlap, ndcg]).toEqual([1, 1]);
      else expect(overlap < 1 || ndcg < 1).toBe(true);
      expect(onlyLive + onlyCandidate <= 1).toBe(true);
    }),
  );
});
