/** A logistic model over standardised features. */
export interface LogisticModel {
  means: readonly number[];
  /** Standard deviations; 1 for a feature that never changes. */
  scales: readonly number[];
  weights: readonly number[];
  bias: number;
}

/** Weight of the squared bias: only enough for the system to have a solution. */
const biasRidge = 1e-9;
const maxSteps = 30;
/** Largest change of a weight at which the solution counts as found. */
const tolerance = 1e-6;

/** Returns the score of features, 0 to 1. */
export function score(model: LogisticModel, features: readonly number[]): number {
  const sum = features.reduce(
    (total, _, index) => total + (model.weights[index] as number) * standard(model, features, index),
    model.bias,
  );
  return sigmoid(sum);
}

const sigmoid = (value: number) => 1 / (1 + Math.exp(-value));

const standard = (
  { means, scales }: Pick<LogisticModel, 'means' | 'scales'>,
  features: readonly number[],
  index: number,
) => ((features[index] as number) - (means[index] as number)) / (scales[index] as number);

/**
 * Returns a model that is fitted by Newton's method (iteratively reweighted least squares; Hastie, Tibshirani and Friedman, "The
 * Elements of Statistical Learning", 4.4.1) with a ridge, each step by conjugate gradients. Each label weighs half, however many rows it
 * has. Deterministic. `ridge`: weight of the squared weights beside the mean log loss; keeps the solution finite if features separate the labels.
 */
export function fitLogistic(
  rows: readonly (readonly number[])[],
  labels: readonly boolean[],
  ridge = 1e-3,
): LogisticModel {
  const width = rows[0]?.length ?? 0;
  const means = Array.from({ length: width }, (_, index) => mean(rows, (row) => row[index] as number));
  const scales = means.map(
    (middle, index) => Math.sqrt(mean(rows, (row) => ((row[index] as number) - middle) ** 2)) || 1,
  );
  const positives = labels.filter(Boolean).length;
  const shares = { same: 0.5 / Math.max(1, positives), other: 0.5 / Math.max(1, labels.length - positives) };
  const samples = rows.map((row, index): Sample => {
    const input = Float64Array.from(row, (_, column) => standard({ means, scales }, row, column));
    return { input, target: labels[index] ? 1 : 0, share: labels[index] ? shares.same : shares.other };
  });
  const penalty = new Float64Array(width + 1).fill(ridge);
  penalty[width] = biasRidge;
  // The bias is last.
  const solution = new Float64Array(width + 1);
  for (let step = 0; step < maxSteps; step++) {
    const change = newtonStep(samples, solution, penalty);
    for (const [index, value] of change.entries()) solution[index] = (solution[index] as number) + value;
    if (change.every((value) => Math.abs(value) < tolerance)) break;
  }
  return { means, scales, weights: [...solution.subarray(0, width)], bias: solution[width] as number };
}

/** A row of standardised features with its label as 0 or 1, and its share of the loss. */
interface Sample {
  input: Float64Array;
  target: number;
  share: number;
}

/** Returns the change that solves H × change = gradient, H being the negated second derivatives of the log likelihood at a solution. */
function newtonStep(samples: readonly Sample[], solution: Float64Array, penalty: Float64Array): Float64Array {
  const size = solution.length;
  const gradient = solution.map((weight, index) => -(penalty[index] as number) * weight);
  const curves = samples.map(({ input, target, share }) => {
    const probability = sigmoid(valueAt(solution, input));
    addScaled(gradient, input, share * (target - probability));
    return share * probability * (1 - probability);
  });
  const multiply = (vector: Float64Array) => {
    const product = vector.map((value, index) => (penalty[index] as number) * value);
    for (const [index, { input }] of samples.entries()) {
      addScaled(product, input, (curves[index] as number) * valueAt(vector, input));
    }
    return product;
  };
  const change = new Float64Array(size);
  const rest = gradient;
  let direction = rest.slice();
  let squared = dot(rest, rest);
  const enough = squared * 1e-12;
  for (let step = 0; step < 2 * size && squared > enough; step++) {
    const product = multiply(direction);
    const distance = squared / dot(direction, product);
    for (let index = 0; index < size; index++) {
      change[index] = (change[index] as number) + distance * (direction[index] as number);
      rest[index] = (rest[index] as number) - distance * (product[index] as number);
    }
    const before = squared;
    squared = dot(rest, rest);
    direction = direction.map((value, index) => (rest[index] as number) + (squared / before) * value);
  }
  return change;
}

/** Returns the weighted sum of an input; the bias is the last weight. */
function valueAt(weights: Float64Array, input: Float64Array): number {
  let sum = weights[input.length] as number;
  for (let index = 0; index < input.length; index++) sum += (weights[index] as number) * (input[index] as number);
  return sum;
}

/** Adds a multiple of an input and its bias of 1. */
function addScaled(sums: Float64Array, input: Float64Array, factor: number): void {
  for (let index = 0; index < input.length; index++) {
    sums[index] = (sums[index] as number) + (input[index] as number) * factor;
  }
  sums[input.length] = (sums[input.length] as number) + factor;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let index = 0; index < a.length; index++) sum += (a[index] as number) * (b[index] as number);
  return sum;
}

function mean(rows: readonly (readonly number[])[], read: (row: readonly number[]) => number): number {
  return rows.reduce((sum, row) => sum + read(row), 0) / Math.max(1, rows.length);
}
