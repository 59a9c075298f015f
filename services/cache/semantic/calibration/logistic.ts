/** A logistic model over standardised features. */
export interface LogisticModel {
  means: readonly number[];
  /** Standard deviations; 1 for a feature that never changes. */
  scales: readonly number[];
  weights: readonly number[];
  bias: number;
}

/** Weight of the squared weights beside the mean log loss; keeps the solution finite if a feature separates the labels. */
const ridge = 1e-3;
/** Weight of the squared bias: only enough for the system to have a solution. */
const biasRidge = 1e-9;
const maxSteps = 30;
/** Largest change of a weight at which the solution counts as found. */
const tolerance = 1e-8;

/** Returns the score of features, 0 to 1. */
export function score(model: LogisticModel, features: readonly number[]): number {
  const input = [1, ...features.map((_, index) => standard(model, features, index))];
  return sigmoid(dot([model.bias, ...model.weights], input));
}

const sigmoid = (value: number) => 1 / (1 + Math.exp(-value));
const dot = (a: readonly number[], b: readonly number[]) =>
  a.reduce((sum, value, index) => sum + value * (b[index] as number), 0);

const standard = (
  { means, scales }: Pick<LogisticModel, 'means' | 'scales'>,
  features: readonly number[],
  index: number,
) => ((features[index] as number) - (means[index] as number)) / (scales[index] as number);

/**
 * Returns a model that is fitted by Newton's method (iteratively reweighted least squares; Hastie, Tibshirani and Friedman, "The
 * Elements of Statistical Learning", 4.4.1) with a ridge. Each label weighs half, however many rows it has. Deterministic.
 */
export function fitLogistic(rows: readonly (readonly number[])[], labels: readonly boolean[]): LogisticModel {
  const width = rows[0]?.length ?? 0;
  const means = Array.from({ length: width }, (_, index) => mean(rows.map((row) => row[index] as number)));
  const scales = Array.from({ length: width }, (_, index) => {
    const variance = mean(rows.map((row) => ((row[index] as number) - (means[index] as number)) ** 2));
    return Math.sqrt(variance) || 1;
  });
  const positives = labels.filter(Boolean).length;
  const shares = { same: 0.5 / Math.max(1, positives), other: 0.5 / Math.max(1, labels.length - positives) };
  const samples = rows.map((row, index) => ({
    input: [1, ...row.map((_, column) => standard({ means, scales }, row, column))],
    target: labels[index] ? 1 : 0,
    share: labels[index] ? shares.same : shares.other,
  }));
  let solution: readonly number[] = new Array<number>(width + 1).fill(0);
  for (let step = 0; step < maxSteps; step++) {
    const { gradient, hessian } = derivatives(samples, solution);
    const change = solve(hessian, gradient);
    solution = solution.map((weight, index) => weight + (change[index] as number));
    if (Math.max(...change.map(Math.abs)) < tolerance) break;
  }
  return { means, scales, weights: solution.slice(1), bias: solution[0] ?? 0 };
}

/** A row with its bias input, its label as 0 or 1, and its share of the loss. */
interface Sample {
  input: readonly number[];
  target: number;
  share: number;
}

/** Returns the gradient of the log likelihood at a solution and the negated second derivatives. */
function derivatives(samples: readonly Sample[], solution: readonly number[]) {
  const gradient = solution.map((weight, index) => (index === 0 ? 0 : -ridge * weight));
  const hessian = solution.map((_, i) => solution.map((__, j) => (i !== j ? 0 : i === 0 ? biasRidge : ridge)));
  for (const { input, target, share } of samples) {
    const probability = sigmoid(dot(solution, input));
    const error = share * (target - probability);
    const curve = share * probability * (1 - probability);
    for (const [i, value] of input.entries()) {
      gradient[i] = (gradient[i] as number) + error * value;
      addScaled(hessian[i] as number[], input, curve * value);
    }
  }
  return { gradient, hessian };
}

function addScaled(sums: number[], values: readonly number[], factor: number): void {
  for (const [index, value] of values.entries()) sums[index] = (sums[index] as number) + value * factor;
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

/** Returns the solution of a positive definite system, by Gaussian elimination with pivots. */
function solve(matrix: number[][], vector: number[]): number[] {
  const rows = matrix.map((row, index) => [...row, vector[index] as number]);
  const size = rows.length;
  for (let column = 0; column < size; column++) {
    let best = column;
    for (let row = column + 1; row < size; row++) {
      if (Math.abs(at(rows, row, column)) > Math.abs(at(rows, best, column))) best = row;
    }
    [rows[column], rows[best]] = [rows[best] as number[], rows[column] as number[]];
    for (let row = column + 1; row < size; row++) {
      const factor = at(rows, row, column) / at(rows, column, column);
      for (let index = column; index <= size; index++)
        (rows[row] as number[])[index] = at(rows, row, index) - factor * at(rows, column, index);
    }
  }
  const solution = new Array<number>(size).fill(0);
  for (let row = size - 1; row >= 0; row--) {
    let sum = at(rows, row, size);
    for (let index = row + 1; index < size; index++) sum -= at(rows, row, index) * (solution[index] as number);
    solution[row] = sum / at(rows, row, row);
  }
  return solution;
}

const at = (rows: readonly number[][], row: number, column: number) => (rows[row] as number[])[column] as number;
