/** A logistic model over standardised features. */
export interface LogisticModel {
  means: readonly number[];
  /** Standard deviations; 1 for a feature that never changes. */
  scales: readonly number[];
  weights: readonly number[];
  bias: number;
}

/** Weight of the squared weights beside the mean log loss; keeps the solution finite where a feature parts the labels. */
const ridge = 1e-3;
const maxSteps = 30;

/** The score of features, 0 to 1. */
export function score(model: LogisticModel, features: readonly number[]): number {
  let sum = model.bias;
  for (let index = 0; index < model.weights.length; index++)
    sum += (model.weights[index] as number) * standard(model, features, index);
  return 1 / (1 + Math.exp(-sum));
}

const standard = (
  { means, scales }: Pick<LogisticModel, 'means' | 'scales'>,
  features: readonly number[],
  index: number,
) => ((features[index] as number) - (means[index] as number)) / (scales[index] as number);

/**
 * Fits a model by Newton's method (iteratively reweighted least squares; Hastie, Tibshirani and Friedman, "The Elements of
 * Statistical Learning", 4.4.1) with a ridge. Each label counts half, however many it has. Deterministic.
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
  const inputs = rows.map((row) => [1, ...row.map((_, index) => standard({ means, scales }, row, index))]);
  const solution = new Array<number>(width + 1).fill(0);
  for (let step = 0; step < maxSteps; step++) {
    const gradient = solution.map((weight, index) => (index === 0 ? 0 : -ridge * weight));
    const hessian = solution.map((_, i) => solution.map((__, j) => (i === j ? (i === 0 ? 1e-9 : ridge) : 0)));
    for (const [row, input] of inputs.entries()) {
      let sum = 0;
      for (let index = 0; index <= width; index++) sum += (solution[index] as number) * (input[index] as number);
      const probability = 1 / (1 + Math.exp(-sum));
      const share = labels[row] ? shares.same : shares.other;
      const error = share * ((labels[row] ? 1 : 0) - probability);
      const curve = share * probability * (1 - probability);
      for (let i = 0; i <= width; i++) {
        gradient[i] = (gradient[i] as number) + error * (input[i] as number);
        const line = hessian[i] as number[];
        const scaled = curve * (input[i] as number);
        for (let j = 0; j <= i; j++) line[j] = (line[j] as number) + scaled * (input[j] as number);
      }
    }
    for (let i = 0; i <= width; i++)
      for (let j = i + 1; j <= width; j++) (hessian[i] as number[])[j] = (hessian[j] as number[])[i] as number;
    const change = solve(hessian, gradient);
    for (let index = 0; index <= width; index++)
      solution[index] = (solution[index] as number) + (change[index] as number);
    if (Math.max(...change.map(Math.abs)) < 1e-8) break;
  }
  return { means, scales, weights: solution.slice(1), bias: solution[0] ?? 0 };
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

/** Solves a positive definite system by Gaussian elimination with pivots. */
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
