// Words as sparse vectors, for engines that search those: BM25 (Robertson & Zaragoza 2009, §3.1-3.2) in two factors. The weight of a word in a
// row is its saturated frequency; the engine multiplies it by the word's idf.

import { bm25 } from '../bm25.ts';

/** Words as a sparse vector: the numbers of the words, ascending, and a weight for each. */
export interface SparseWords {
  indices: number[];
  values: number[];
}

const { k1, b } = bm25;

const firstHan = /^\p{sc=Han}/u;

/**
 * Returns the words of a row. `averageWordCount` is the assumed average length of a row; it is constant, so that the weights of old and new
 * rows agree. A word that begins with a Han character also adds the term by which that single character is found.
 */
export function rowWords(tokens: readonly string[], averageWordCount: number): SparseWords {
  const counts = new Map<number, number>();
  const count = (index: number) => counts.set(index, (counts.get(index) ?? 0) + 1);
  for (const token of tokens) {
    count(wordNumber(token));
    const [first] = firstHan.exec(token) ?? [];
    if (first !== undefined) count(wordNumber(beginningTerm(first)));
  }
  const norm = k1 * (1 - b + (b * tokens.length) / averageWordCount);
  return toSparse(counts, (frequency) => (frequency * (k1 + 1)) / (frequency + norm));
}

/** Returns the words of a question. The weight of a word is its number of occurrences, at most `maxRepeats`. */
export function questionWords(tokens: readonly string[], maxRepeats = 8): SparseWords {
  const counts = new Map<number, number>();
  for (const term of searchedTerms(tokens)) {
    const index = wordNumber(term);
    counts.set(index, (counts.get(index) ?? 0) + 1);
  }
  return toSparse(counts, (repeats) => Math.min(repeats, maxRepeats));
}

/** Returns the terms to search for a question: its words, or for a single Han character the term of the words that begin with it. */
export function searchedTerms(tokens: readonly string[]): readonly string[] {
  const [only] = tokens;
  const isLone = tokens.length === 1 && only !== undefined && firstHan.exec(only)?.[0] === only;
  return isLone ? [beginningTerm(only)] : tokens;
}

function toSparse(counts: ReadonlyMap<number, number>, weigh: (count: number) => number): SparseWords {
  const ordered = [...counts].sort(([a], [z]) => a - z);
  return { indices: ordered.map(([index]) => index), values: ordered.map(([, count]) => weigh(count)) };
}

const beginningTerm = (character: string) => `${character}\u0000`;

/**
 * Returns the number of a word, 0 to 2³² - 1: FNV-1a over its UTF-16 code units, then murmur3's finaliser. Among a million words about a
 * hundred pairs share a number; a row with one of them then also matches the other.
 */
export function wordNumber(word: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < word.length; index++) hash = Math.imul(hash ^ word.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
