import { differenceOf } from './guards/difference.ts';
import type { Question } from './question.ts';
import { type Vocabulary, weightOf } from './vocabulary.ts';

/** What the verifier uses, in the order of its weights. Symmetric: the order of the questions does not matter. */
export const featureNames = [
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

/** Returns the features of a pair; `similarity` is the cosine of the vectors of the questions. */
export function featuresOf(first: Question, second: Question, similarity: number, vocabulary: Vocabulary): number[] {
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
