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

/** Fits the weights of a softmax over the candidates of each question (ListNet, Cao et al. 2007), with an L2 penalty. */
export function fitRanking(cases: readonly RankingCase[], size: number, penalty: number): number[] {
  return descend(size, (weights, gradient) => {
    for (const { features, target, weight } of cases) {
      const scores = features.map((one) => dot(one, weights));
      const highest = Math.max(...scores);
      const exps = scores.map((score) => Math.exp(score - highest));
      const sum = exps.reduce((total, value) => total + value, 0);
      for (const [at, one] of features.entries()) {
        const difference = weight * ((exps[at] as number) / sum - (target[at] as number));
        if (Math.abs(difference) < 1e-6) continue;
        for (let index = 0; index < size; index++)
          gradient[index] = (gradient[index] as number) + difference * (one[index] as number);
      }
    }
    const count = cases.length || 1;
    for (let index = 0; index < size; index++) {
      gradient[index] = (gradient[index] as number) / count + penalty * (weights[index] as number);
    }
  });
}

/** A decision: its features, and whether the answer is right. */
export interface DecisionCase {
  features: readonly number[];
  isRight: boolean;
  weight: number;
}

/** Fits a logistic regression with an L2 penalty; the last weight is the bias, which has none. */
export function fitDecision(cases: readonly DecisionCase[], size: number, penalty: number): number[] {
  const total = cases.reduce((sum, { weight }) => sum + weight, 0) || 1;
  return descend(size + 1, (weights, gradient) => {
    for (const { features, isRight, weight } of cases) {
      const probability = 1 / (1 + Math.exp(-(dot(features, weights) + (weights[size] as number))));
      const difference = (weight * (probability - Number(isRight))) / total;
      for (let index = 0; index < size; index++)
        gradient[index] = (gradient[index] as number) + difference * (features[index] as number);
      gradient[size] = (gradient[size] as number) + difference;
    }
    for (let index = 0; index < size; index++)
      gradient[index] = (gradient[index] as number) + penalty * (weights[index] as number);
  });
}

function descend(size: number, addGradient: (weights: readonly number[], gradient: number[]) => void): number[] {
  const weights = new Array<number>(size).fill(0);
  const mean = new Array<number>(size).fill(0);
  const square = new Array<number>(size).fill(0);
  for (let step = 1; step <= stepCount; step++) {
    const gradient = new Array<number>(size).fill(0);
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
  return weights;
}

function dot(features: readonly number[], weights: readonly number[]): number {
  let sum = 0;
  for (let index = 0; index < features.length; index++) sum += (features[index] as number) * (weights[index] as number);
  return sum;
}
