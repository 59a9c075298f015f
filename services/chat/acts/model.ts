/** A softmax regression over named features. */
export interface ActModel {
  readonly acts: readonly string[];
  /** One number for each act. */
  readonly bias: readonly number[];
  /** For each feature, its weights by the index of the act; acts that are left out have 0. */
  readonly weights: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** Returns a function that gives the probability of each act from the features of a message, in the order of `acts`. */
export function createClassifier({ acts, bias, weights }: ActModel): (features: readonly string[]) => Float64Array {
  const rows = new Map(
    Object.entries(weights).map(([name, row]) => [
      name,
      Object.entries(row).map(([act, weight]) => [Number(act), weight] as const),
    ]),
  );
  return (features) => {
    const scores = Float64Array.from(bias);
    for (const name of features) {
      for (const [act, weight] of rows.get(name) ?? []) scores[act] = (scores[act] ?? 0) + weight;
    }
    return softmax(scores, acts.length);
  };
}

/** Replaces scores by probabilities. */
export function softmax(scores: Float64Array, count: number): Float64Array {
  let highest = Number.NEGATIVE_INFINITY;
  for (let act = 0; act < count; act++) highest = Math.max(highest, scores[act] ?? 0);
  let sum = 0;
  for (let act = 0; act < count; act++) sum += scores[act] = Math.exp((scores[act] ?? 0) - highest);
  for (let act = 0; act < count; act++) scores[act] = (scores[act] ?? 0) / sum;
  return scores;
}
