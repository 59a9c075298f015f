import { isLexicalModel } from '#kit/text/lexical-model.ts';
import { differenceOf } from './guards/difference.ts';
import { isSubstitution, type VectorKind } from './guards/guards.ts';
import type { Question } from './question.ts';
import { isRare, type Vocabulary, weightOf } from './vocabulary.ts';

/** What the verifier uses of words and cosine. Symmetric: the order of the questions does not matter. */
const wordFeatures = [
  'cosine',
  'cosine_squared',
  'coverage_less',
  'coverage_more',
  'dice',
  'dice_by_cosine',
  'length_ratio',
  'order',
  'unshared_weight',
  'heaviest_unshared',
  'both_have_unshared',
  'shared_count',
] as const;

/** Returns what the vectors of a model represent. */
export function kindOf(model: string): VectorKind {
  return isLexicalModel(model) ? 'words' : 'meanings';
}

/** Returns the names of the features, in the order of the verifier's weights. */
export function featureNamesOf({ model, dimensions }: { model: string; dimensions: number }): string[] {
  if (kindOf(model) === 'words') return [...wordFeatures];
  const each = (name: string) => Array.from({ length: dimensions }, (_, index) => `${name}_${index}`);
  return [...wordFeatures, 'rare_words', 'substitution', ...each('product'), ...each('distance')];
}

/** A question with its vector, of length 1. */
export interface EmbeddedText {
  question: Question;
  vector: Float32Array;
}

/**
 * Returns the features of a pair. Vectors that represent meanings are read one dimension at a time: the verifier learns which of them matter in
 * the domain of its pairs. There a rare word and a substitution are features too; vectors of words leave them to guards.
 */
export function featuresOf(
  first: EmbeddedText,
  second: EmbeddedText,
  vocabulary: Vocabulary,
  kind: VectorKind,
): number[] {
  const similarity = cosineOf(first.vector, second.vector);
  const ofWords = wordFeaturesOf(first.question, second.question, similarity, vocabulary);
  if (kind === 'words') return ofWords;
  const difference = differenceOf(first.question, second.question);
  const runs = [...difference.onlyFirst, ...difference.onlySecond];
  const pairs = Array.from(first.vector, (value, index) => [value, second.vector[index] as number] as const);
  return [
    ...ofWords,
    Math.min(4, runs.filter((run) => isRare(run, vocabulary)).length),
    isSubstitution(first.question, second.question, difference) ? 1 : 0,
    ...pairs.map(([a, b]) => a * b),
    ...pairs.map(([a, b]) => Math.abs(a - b)),
  ];
}

/** The cosine of two vectors of length 1. */
export function cosineOf(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let index = 0; index < a.length; index++) sum += (a[index] as number) * (b[index] as number);
  return sum;
}

function wordFeaturesOf(first: Question, second: Question, similarity: number, vocabulary: Vocabulary): number[] {
  const { shared, onlyFirst, onlySecond } = differenceOf(first, second);
  const weigh = (atoms: readonly string[]) => atoms.reduce((sum, atom) => sum + weightOf(atom, vocabulary), 0);
  const common = weigh(shared);
  const a = onlyFirst.flat();
  const b = onlySecond.flat();
  const coverages = [a, b].map((unshared) => (common === 0 ? 0 : common / (common + weigh(unshared))));
  const dice = diceOf(gramsOf(first.content), gramsOf(second.content));
  const lengths = [first.text.length, second.text.length];
  const unshared = [...a, ...b];
  return [
    similarity,
    similarity * similarity,
    Math.min(...coverages),
    Math.max(...coverages),
    dice,
    dice * similarity,
    Math.min(...lengths) / Math.max(...lengths, 1),
    inOrder(first.content, second.content),
    weigh(unshared),
    Math.max(0, ...unshared.map((atom) => weightOf(atom, vocabulary))),
    a.length > 0 && b.length > 0 ? 1 : 0,
    Math.min(8, shared.length),
  ];
}

/** Returns atoms and pairs of neighbours. */
function gramsOf(atoms: readonly string[]): string[] {
  return [...atoms, ...atoms.slice(1).map((atom, index) => `${atoms[index]} ${atom}`)];
}

function diceOf(a: readonly string[], b: readonly string[]): number {
  const left = new Map<string, number>();
  for (const gram of b) left.set(gram, (left.get(gram) ?? 0) + 1);
  let both = 0;
  for (const gram of a) {
    const count = left.get(gram) ?? 0;
    if (count === 0) continue;
    left.set(gram, count - 1);
    both++;
  }
  return a.length + b.length === 0 ? 0 : (2 * both) / (a.length + b.length);
}

/** Returns the longest common subsequence divided by the length of the shorter, 0 to 1. */
function inOrder(a: readonly string[], b: readonly string[]): number {
  if (a.length === 0 || b.length === 0) return 0;
  let row = new Array<number>(b.length + 1).fill(0);
  for (const atom of a) {
    const next = [0];
    for (const [index, other] of b.entries()) {
      next.push(
        atom === other ? (row[index] as number) + 1 : Math.max(row[index + 1] as number, next[index] as number),
      );
    }
    row = next;
  }
  return (row[b.length] as number) / Math.min(a.length, b.length);
}
