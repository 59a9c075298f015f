/** Most that a boost of 1 moves a candidate: this share of the distance between the scores of the best and the worst one. */
const boostShare = 0.25;

/**
 * Returns candidates in the order of their scores and boosts, best first; the same list if none has a boost. Scores may have any range, so a
 * boost is relative to theirs, and it changes no score: what decides by a score decides as before.
 */
export function applyBoosts<T extends { readonly record: { readonly boost?: number } }>(
  candidates: readonly T[],
  scoreOf: (candidate: T) => number,
): readonly T[] {
  if (!candidates.some(({ record }) => (record.boost ?? 0) !== 0)) return candidates;
  const scores = candidates.map(scoreOf);
  const range = Math.max(...scores) - Math.min(...scores);
  // Of candidates that all have one score, the boost alone decides.
  const unit = boostShare * (range > 0 ? range : 1);
  const raised = candidates.map((candidate, index) => ({
    candidate,
    value: (scores[index] ?? 0) + unit * Math.max(-1, Math.min(1, candidate.record.boost ?? 0)),
  }));
  // Sorting is stable: equal values stay in the order that they had.
  return raised.sort((a, b) => b.value - a.value).map(({ candidate }) => candidate);
}
