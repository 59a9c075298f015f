import { expect, test } from 'vitest';
import { Language } from '#gen/ragmesh/common/v1/common_pb.ts';
import { fuseNormalised } from './fuse.ts';
import { weighOtherLanguages } from './other-languages.ts';

// Keys below 10 are Chinese passages, the others English ones; 99 is in another language.
const languageOf = (key: number) => (key === 99 ? Language.UNSPECIFIED : key < 10 ? Language.ZH : Language.EN);
const hits = (scores: Record<number, number>) =>
  Object.entries(scores)
    .map(([key, score]) => ({ key: Number(key), score }))
    .sort((a, b) => b.score - a.score);

function weigh(vectors: Record<number, number>, keywords: Record<number, number>, question: Language) {
  const ofVectors = { weight: 0.5, hits: hits(vectors) };
  const fused = fuseNormalised([ofVectors, { weight: 0.5, hits: hits(keywords) }]);
  const found = new Set(Object.keys(keywords).map(Number));
  return weighOtherLanguages(fused, fuseNormalised([ofVectors]), { found, languageOf, question });
}

const vectors = { 11: 0.9, 1: 0.9, 2: 0.8, 12: 0.6, 3: 0.5, 99: 0.9, 13: 0.4 };
const keywords = { 1: 8, 2: 7, 3: 1 };

test('a passage in another language gets the place of its vector among those in the question’s language', () => {
  const order = weigh(vectors, keywords, Language.ZH).map(({ key }) => key);
  expect(order.slice(0, 4)).toEqual([1, 11, 2, 99]);
  expect(order.indexOf(12)).toBeLessThan(order.indexOf(3));
});

test('the score of a passage in the question’s language, or in an unknown one, stays', () => {
  const before = fuseNormalised([
    { weight: 0.5, hits: hits(vectors) },
    { weight: 0.5, hits: hits(keywords) },
  ]);
  const after = weigh(vectors, keywords, Language.ZH);
  for (const key of [1, 2, 3, 99]) {
    expect(after.find((hit) => hit.key === key)).toEqual(before.find((hit) => hit.key === key));
  }
});

test('a passage that keywords find is not raised: words that it shares are counted', () => {
  const shared = { ...keywords, 12: 0.5 };
  const score = weigh(vectors, shared, Language.ZH).find(({ key }) => key === 12)?.score;
  expect(score).toBeLessThan(weigh(vectors, keywords, Language.ZH).find(({ key }) => key === 12)?.score ?? 0);
});

test('without a passage in the question’s language nothing changes, and no score exceeds 1', () => {
  const english = weigh({ 11: 0.9, 12: 0.6 }, {}, Language.ZH);
  expect(english.map(({ key, score }) => [key, score])).toEqual([
    [11, 0.5],
    [12, 0],
  ]);
  for (const { score } of weigh({ 1: 0.2, 2: 0.1, 11: 0.9 }, { 1: 9 }, Language.ZH))
    expect(score).toBeLessThanOrEqual(1);
});
