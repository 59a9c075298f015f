import { expect, test } from 'vitest';
import { Leg } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { legWeights, vectorWeightOf } from './leg-weights.ts';

const hashing = 'hashing-v2-256';

test('a corpus has its own weight, else that of all, else one by its model', () => {
  const corpusWeights = new Map([['help', 0.7]]);
  const of = (name: string, model: string, vectorWeight?: number) =>
    vectorWeightOf({ vectorWeight, corpusWeights }, [{ name, model }]);
  expect([of('help', hashing), of('other', hashing), of('other', 'bge-m3'), of('other', 'bge-m3', 0.4)]).toEqual([
    0.7, 0.2, 0.5, 0.4,
  ]);
});

test('a search in several corpora has the mean of theirs', () => {
  const settings = {
    vectorWeight: undefined,
    corpusWeights: new Map([
      ['a', 0.2],
      ['b', 0.6],
    ]),
  };
  const models = ['a', 'b'].map((name) => ({ name, model: hashing }));
  expect(vectorWeightOf(settings, models)).toBeCloseTo(0.4, 12);
});

test('the weights make 1 whatever legs remain', () => {
  for (const legs of [
    [Leg.VECTOR],
    [Leg.KEYWORD],
    [Leg.WEB],
    [Leg.VECTOR, Leg.KEYWORD],
    [Leg.KEYWORD, Leg.WEB],
    [Leg.VECTOR, Leg.KEYWORD, Leg.WEB],
  ]) {
    const weights = [...legWeights(legs, 0.3).values()];
    expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 12);
  }
  expect(legWeights([Leg.VECTOR, Leg.KEYWORD], 0.3).get(Leg.KEYWORD)).toBe(0.7);
  expect(legWeights([Leg.KEYWORD], 0.3).get(Leg.KEYWORD)).toBe(1);
});
