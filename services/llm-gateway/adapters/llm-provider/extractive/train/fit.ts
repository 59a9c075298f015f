// Two small convex models, fitted by full-batch gradient descent with momentum (Adam, Kingma & Ba 2015). Everything is deterministic.

const stepCount = 400;
const stepSize = 0.05;

/** A question with its candidates for the ranking model. */
export interface RankingCase {
  features: readonly (readonly number[])[];
  /** Share of the wanted probability of each candidate; they add up to 1. */
  target: readonly number[];
  weight: number;
}

/**
 * Fits the weights of a softmax over the candidates of each question (ListNet, Cao et al. 2007), with an L2 penalty on their difference from
 * `prior`, which is 0 by default.
 */
export function fitRanking(
  cases: readonly RankingCase[],
  size: number,
  penalty: number,
  prior: readonly number[] = new Array<number>(size).fill(0),
): number[] {
  const packed = cases.map(({ features, target, weight }) => ({
    features: pack(features, size),
    target,
    weight,
    scores: new Float64Array(features.length),
  }));
  return descend(prior, (weights, gradient) => {
    for (const { features, target, weight, scores } of packed) {
      toShares(features, weights, scores);
      for (let at = 0; at < scores.length; at++) {
        const difference = weight * ((scores[at] as number) - (target[at] as number));
        if (Math.abs(difference) < 1e-6) continue;
        addScaled(gradient, features, at * size, difference, size);
      }
    }
    const count = cases.length || 1;
    for (let index = 0; index < size; index++) {
      gradient[index] =
        (gradient[index] as number) / count + penalty * ((weights[index] as number) - (prior[index] as number));
    }
  });
}

/** Writes the softmax of the candidates' scores. */
function toShares(features: Float64Array, weights: Float64Array, scores: Float64Array): void {
  let highest = Number.NEGATIVE_INFINITY;
  for (let at = 0; at < scores.length; at++) {
    const score = dot(features, at * weights.length, weights, weights.length);
    scores[at] = score;
    if (score > highest) highest = score;
  }
  let sum = 0;
  for (let at = 0; at < scores.length; at++) {
    scores[at] = Math.exp((scores[at] as number) - highest);
    sum += scores[at] as number;
  }
  for (let at = 0; at < scores.length; at++) scores[at] = (scores[at] as number) / sum;
}

/** A decision: its features, and whether the answer is right. */
export interface DecisionCase {
  features: readonly number[];
  isRight: boolean;
  weight: number;
}

/** Fits a logistic regression with an L2 penalty as {@link fitRanking}; the last weight is the bias, which has none. */
export function fitDecision(
  cases: readonly DecisionCase[],
  size: number,
  penalty: number,
  prior: readonly number[] = new Array<number>(size + 1).fill(0),
): number[] {
  const total = cases.reduce((sum, { weight }) => sum + weight, 0) || 1;
  const features = pack(
    cases.map((one) => one.features),
    size,
  );
  return descend(prior, (weights, gradient) => {
    for (const [at, { isRight, weight }] of cases.entries()) {
      const score = dot(features, at * size, weights, size) + (weights[size] as number);
      const difference = (weight * (1 / (1 + Math.exp(-score)) - Number(isRight))) / total;
      addScaled(gradient, features, at * size, difference, size);
      gradient[size] = (gradient[size] as number) + difference;
    }
    for (let index = 0; index < size; index++)
      gradient[index] = (gradient[index] as number) + penalty * ((weights[index] as number) - (prior[index] as number));
  });
}

function descend(
  start: readonly number[],
  addGradient: (weights: Float64Array, gradient: Float64Array) => void,
): number[] {
  const size = start.length;
  const weights = Float64Array.from(start);
  const mean = new Float64Array(size);
  const square = new Float64Array(size);
  for (let step = 1; step <= stepCount; step++) {
    const gradient = new Float64Array(size);
    addGradient(weights, gradient);
    for (let index = 0; index < size; index++) {
      const slope = gradient[index] as number;
      mean[index] = 0.9 * (mean[index] as number) + 0.1 * slope;
      square[index] = 0.999 * (square[index] as number) + 0.001 * slope * slope;
      const unbiasedMean = (mean[index] as number) / (1 - 0.9 ** step);
      const unbiasedSquare = (square[index] as number) / (1 - 0.999 ** step);
      weights[index] = (weights[index] as number) - (stepSize * unbiasedMean) / (Math.sqrt(unbiasedSquare) + 1e-8);
    }
  }
  return [...weights];
}

/** Returns rows of features one after another. */
function pack(rows: readonly (readonly number[])[], size: number): Float64Array {
  const packed = new Float64Array(rows.length * size);
  for (const [at, row] of rows.entries()) packed.set(row, at * size);
  return packed;
}

function dot(features: Float64Array, start: number, weights: Float64Array, size: number): number {
  let sum = 0;
  for (let index = 0; index < size; index++) sum += (features[start + index] as number) * (weights[index] as number);
  return sum;
}

function addScaled(sum: Float64Array, features: Float64Array, start: number, factor: number, size: number): void {
  for (let index = 0; index < size; index++)
    sum[index] = (sum[index] as number) + factor * (features[start + index] as number);
}
