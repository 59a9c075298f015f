import { Leg } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import type { RetrievalSettings } from '../config.ts';

/** Models whose vectors are made of words, as the keyword leg is: beside it they add little, and weigh little. */
const lexicalModel = /^hashing-/;
const lexicalWeight = 0.2;
/** A model that knows meanings finds what the words do not. */
const semanticWeight = 0.5;

/** Weight of the web leg beside the tenant's own documents. */
const webWeight = 0.2;

/** Whether a model's vectors are made of words alone. */
export function isLexicalModel(model: string): boolean {
  return lexicalModel.test(model);
}

/**
 * Weight of the vector leg for a search in these corpora, 0 to 1: the mean of theirs. A corpus has its own from the configuration,
 * else that of all corpora, else one by its embedding model.
 */
export function vectorWeightOf(
  settings: Pick<RetrievalSettings, 'vectorWeight' | 'corpusWeights'>,
  corpora: readonly { name: string; model: string }[],
): number {
  const weights = corpora.map(
    ({ name, model }) =>
      settings.corpusWeights.get(name) ??
      settings.vectorWeight ??
      (isLexicalModel(model) ? lexicalWeight : semanticWeight),
  );
  return weights.length === 0 ? lexicalWeight : weights.reduce((sum, weight) => sum + weight, 0) / weights.length;
}

/** Weights of the legs that came to an end, which make 1: what remains has all the weight. */
export function legWeights(legs: readonly Leg[], vectorWeight: number): Map<Leg, number> {
  const own = legs.some((leg) => leg !== Leg.WEB) ? (legs.includes(Leg.WEB) ? 1 - webWeight : 1) : 0;
  const isAlone = !legs.includes(Leg.VECTOR) || !legs.includes(Leg.KEYWORD);
  const weightOf = (leg: Leg): number => {
    switch (leg) {
      case Leg.VECTOR:
        return own * (isAlone ? 1 : vectorWeight);
      case Leg.KEYWORD:
        return own * (isAlone ? 1 : 1 - vectorWeight);
      default:
        return 1 - own;
    }
  };
  return new Map(legs.map((leg) => [leg, weightOf(leg)]));
}
