import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareRankings } from './compare.ts';

test('the figures of a comparison are shares, and 1 for equal rankings alone', () => {
  const ranking = fc.array(fc.constantFrom(...'abcdefgh'), { maxLength: 8 });
  const toPassages = (ids: readonly string[]) =>
    ids.map((documentId) => ({ corpus: 'help', documentId, text: 'the same text' }));
  fc.assert(
    fc.property(ranking, ranking, (live, candidate) => {
      const { same, overlap, ndcg, onlyLive, onlyCandidate } = compareRankings(toPassages(live), toPassages(candidate));
      for (const share of [overlap, ndcg]) expect(share >= 0 && share <= 1 + 1e-12).toBe(true);
      const isSame = String([...new Set(live)]) === String([...new Set(candidate)]);
      expect(same).toBe(isSame ? 1 : 0);
      if (isSame) expect([overlap, ndcg]).toEqual([1, 1]);
      else expect(overlap < 1 || ndcg < 1).toBe(true);
      expect(onlyLive + onlyCandidate <= 1).toBe(true);
    }),
  );
});

test('an unchanged passage of a document that was indexed again is the same, and a changed one is another', () => {
  const passage = (text: string) => ({ corpus: 'help', documentId: 'a', text });
  expect(compareRankings([passage('one'), passage('two')], [passage('one'), passage('2')])).toMatchObject({
    same: 0,
    overlap: 0.5,
  });
  expect(compareRankings([passage('one')], [passage('one')])).toMatchObject({ same: 1, overlap: 1, ndcg: 1 });
});
