/** The hits of one leg, best first. */
export interface FusedLeg {
  /** Weight of the leg, 0 to 1; the weights of all legs add up to 1. */
  weight: number;
  hits: readonly { key: number; score: number }[];
}

/** A candidate with its score over all legs, 0 to 1. */
export interface FusedHit {
  key: number;
  score: number;
}

/**
 * Returns the candidates by the weighted mean of their scores, best first. Each leg's scores are scaled to 0..1 over its own candidates
 * (min-max, as in Bruch, Gai & Ingber 2023, §4.2); a leg that did not find a candidate adds nothing to it.
 */
export function fuseNormalised(legs: readonly FusedLeg[]): FusedHit[] {
  const scores = new Map<number, number>();
  for (const { weight, hits } of legs) {
    let highest = -Infinity;
    let lowest = Infinity;
    for (const { score } of hits) {
      highest = Math.max(highest, score);
      lowest = Math.min(lowest, score);
    }
    const range = highest - lowest;
    for (const { key, score } of hits) {
      const normalised = range > 0 ? (score - lowest) / range : 1;
      scores.set(key, (scores.get(key) ?? 0) + weight * normalised);
    }
  }
  return inOrder(scores);
}

/** The constant of reciprocal rank fusion, from its paper. */
const rankConstant = 60;

/**
 * Returns the candidates by reciprocal rank fusion (Cormack, Clarke & Büttcher 2009), best first: the sum of 1 / (60 + rank) over the
 * legs, without their weights, scaled so that a candidate that is first in every leg has 1.
 */
export function fuseReciprocalRank(legs: readonly FusedLeg[]): FusedHit[] {
  const scores = new Map<number, number>();
  for (const { hits } of legs) {
    for (const [rank, { key }] of hits.entries()) {
      scores.set(key, (scores.get(key) ?? 0) + (rankConstant + 1) / (rankConstant + 1 + rank) / legs.length);
    }
  }
  return inOrder(scores);
}

// Of equal scores the lower key is first, so that the same search always gives the same order.
function inOrder(scores: ReadonlyMap<number, number>): FusedHit[] {
  return [...scores]
    .map(([key, score]) => ({ key, score: Math.min(1, Math.max(0, score)) }))
    .sort((a, b) => b.score - a.score || a.key - b.key);
}
