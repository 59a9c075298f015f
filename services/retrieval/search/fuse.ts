/** What a leg found, best first. */
export interface FusedLeg {
  /** Weight of the leg, 0 to 1; the weights of all legs make 1. */
  weight: number;
  hits: readonly { key: number; score: number }[];
}

/** A candidate with its score over all legs, 0 to 1. */
export interface FusedHit {
  key: number;
  score: number;
}

/**
 * Weighted mean of the legs' scores, each leg scaled to 0..1 over its own candidates (min-max, as in Bruch, Gai &
 * Ingber 2023, §4.2); a leg that did not find a candidate gives it nothing. Best first.
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
 * Reciprocal rank fusion (Cormack, Clarke & Büttcher 2009): the sum of 1 / (60 + rank) over the legs, whatever their
 * weights, scaled so that a candidate that is first everywhere has 1. Best first.
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

// The lower key first where scores are equal, so that the same search always gives the same order.
function inOrder(scores: ReadonlyMap<number, number>): FusedHit[] {
  return [...scores]
    .map(([key, score]) => ({ key, score: Math.min(1, Math.max(0, score)) }))
    .sort((a, b) => b.score - a.score || a.key - b.key);
}
