import { featuresOf } from '../features.ts';
import { type ActModel, softmax } from '../model.ts';
import type { Utterance } from './utterances.ts';

/** Passes over the messages, size of a step, and penalty on weights. Chosen by cross-validation. */
const passes = 40;
const stepSize = 0.25;
const penalty = 2e-5;
/** Weights below this are left out of the file. */
const smallest = 0.3;
/** Phrasings that must have a feature before it gets a weight. */
const minPhrasings = 3;

/** Fits the model by AdaGrad on the cross-entropy. Each phrasing counts by the root of its number of variants. Deterministic. */
export function fit(utterances: readonly Utterance[], acts: readonly string[]): ActModel {
  const phrasings = new Map<string, number>();
  for (const { phrasing } of utterances) phrasings.set(phrasing, (phrasings.get(phrasing) ?? 0) + 1);
  const featured = utterances.map((utterance) => ({ ...utterance, features: featuresOf(utterance.text) }));
  const support = new Map<string, Set<string>>();
  for (const { phrasing, features } of featured) {
    for (const name of features) support.set(name, (support.get(name) ?? new Set()).add(phrasing));
  }
  const columns = new Map<string, number>();
  const examples = featured.map(({ act, phrasing, features }) => {
    // What one phrasing alone has cannot be learned.
    const common = features.filter((name) => (support.get(name)?.size ?? 0) >= minPhrasings);
    const indices = common.map((name) => {
      const column = columns.get(name) ?? columns.size;
      columns.set(name, column);
      return column;
    });
    return { act: acts.indexOf(act), features: indices, weight: 1 / Math.sqrt(phrasings.get(phrasing) ?? 1) };
  });

  const width = acts.length;
  const { weights, bias } = descend(examples, columns.size, width);
  const rounded = (value: number) => Math.round(value * 100) / 100;
  const rows: Record<string, Record<string, number>> = {};
  for (const name of [...columns.keys()].sort()) {
    const column = columns.get(name) ?? 0;
    const row = acts.flatMap((_, act) => {
      const weight = rounded(weights[column * width + act] ?? 0);
      return Math.abs(weight) < smallest ? [] : [[String(act), weight] as const];
    });
    if (row.length > 0) rows[name] = Object.fromEntries(row);
  }
  return { acts, bias: [...bias].map(rounded), weights: rows };
}

interface Example {
  /** Index of the act. */
  readonly act: number;
  /** Columns of the features. */
  readonly features: readonly number[];
  readonly weight: number;
}

function descend(examples: readonly Example[], columnCount: number, width: number) {
  const weights = new Float64Array(columnCount * width);
  const squares = new Float64Array(columnCount * width).fill(1e-6);
  const bias = new Float64Array(width);
  const shrink = penalty * examples.length * 0.01;
  const step = (at: number, error: number) => {
    const gradient = error + shrink * (weights[at] ?? 0);
    squares[at] = (squares[at] ?? 0) + gradient * gradient;
    weights[at] = (weights[at] ?? 0) - (stepSize * gradient) / Math.sqrt(squares[at] ?? 1);
  };
  for (let index = 0; index < passes * examples.length; index++) {
    const pass = Math.floor(index / examples.length);
    // A fixed permutation: 7919 is prime and no divisor of the count.
    const example = examples[((index % examples.length) * 7919 + pass) % examples.length];
    if (example === undefined) continue;
    const errors = errorsOf(example, weights, bias);
    for (const [act, error] of errors.entries()) {
      bias[act] = (bias[act] ?? 0) - 0.01 * error;
      for (const column of example.features) step(column * width + act, error);
    }
  }
  return { weights, bias };
}

function errorsOf({ act, features, weight }: Example, weights: Float64Array, bias: Float64Array): Float64Array {
  const width = bias.length;
  const scores = Float64Array.from(bias);
  for (const column of features) {
    for (let index = 0; index < width; index++) {
      scores[index] = (scores[index] ?? 0) + (weights[column * width + index] ?? 0);
    }
  }
  return softmax(scores, width).map((probability, index) => (probability - (index === act ? 1 : 0)) * weight);
}
