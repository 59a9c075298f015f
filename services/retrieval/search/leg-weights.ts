import { Leg } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { isLexicalModel } from '#kit/text/lexical-model.ts';
import type { RetrievalSettings } from '../config.ts';

/** Vectors that represent words add little to the keyword leg. */
const lexicalWeight = 0.2;
/** Semantic models find what the keyword leg cannot. */
const semanticWeight = 0.5;

/** Weight of the web leg beside the tenant's own documents. */
const webWeight = 0.2;

/**
 * Returns the weight of the vector leg for a search in these corpora, 0 to 1: the mean of the corpora's weights. The weight of a corpus
 * is configured for it, or for all corpora, or follows from its embedding model.
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

/** Returns the weights of the legs that succeeded. They add up to 1: legs that failed leave their weight to the others. */
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
