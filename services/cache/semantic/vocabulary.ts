import type { KnownWords } from './guards/replacement.ts';
import type { Question } from './question.ts';

/** What a calibration knows of words. */
export interface Vocabulary {
  questionCount: number;
  /** How many questions have an atom of content, or two neighbours. */
  counts: ReadonlyMap<string, number>;
  /** Words in which its pairs differ. */
  words: KnownWords;
}

/** A word in fewer questions than this is rare: it was not seen often enough to ignore a difference in it. */
export const rareBelow = 5;

/** Terms of the largest vocabulary. */
export const vocabularyMax = 20_000;

/** Returns the counts of the terms of questions. Terms of fewer than {@link rareBelow} questions are left out. */
export function countTerms(questions: readonly Question[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { content } of questions) {
    for (const term of new Set(termsOf(content))) counts.set(term, (counts.get(term) ?? 0) + 1);
  }
  const kept = [...counts]
    .filter(([, count]) => count >= rareBelow)
    .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  return new Map(kept.slice(0, vocabularyMax));
}

function termsOf(atoms: readonly string[]): string[] {
  const words = atoms.filter((atom) => !atom.startsWith('#'));
  return [...words, ...words.slice(1).map((word, index) => `${words[index]} ${word}`)];
}

/** Returns whether adjacent words include a rare one, or a rare pair. */
export function isRare(run: readonly string[], { counts }: Vocabulary): boolean {
  if (run.some((atom) => (counts.get(atom) ?? 0) < rareBelow)) return true;
  return run.slice(1).some((atom, index) => (counts.get(`${run[index]} ${atom}`) ?? 0) < rareBelow);
}

/** Least share of a question's terms that the calibration must have seen often. Below, its subject is not that of the calibration. */
const leastKnown = 0.6;

/** Returns whether the calibration has seen questions of this kind: pairs of neighbours, because single characters are everywhere. */
export function isInDomain({ content }: Question, { counts }: Vocabulary): boolean {
  const words = content.filter((atom) => !atom.startsWith('#'));
  const terms = words.length > 1 ? termsOf(words).slice(words.length) : words;
  const knownCount = terms.filter((term) => (counts.get(term) ?? 0) >= rareBelow).length;
  return terms.length > 0 && knownCount >= leastKnown * terms.length;
}

/** Returns the weight of an atom: ln(1 + questions / those that have it); at least ln 2, and largest for one that was never seen. */
export function weightOf(atom: string, { questionCount, counts }: Vocabulary): number {
  return Math.log(1 + (questionCount + 1) / ((counts.get(atom) ?? 0) + 1));
}
