// Words as sparse vectors, for engines that search those: BM25 (Robertson & Zaragoza 2009, §3.1-3.2) in two factors. A
// row's weight of a word is its saturated frequency, made here; the engine multiplies it with the word's idf.

/** Words as a sparse vector: numbers of the words, ascending, and a weight each. */
export interface SparseWords {
  indices: number[];
  values: number[];
}

/** Saturation of a word's frequency. */
const k1 = 1.2;

/** How much a row's length counts. */
const b = 0.75;

const firstHan = /^\p{sc=Han}/u;

/**
 * The words of a row. `averageWordCount` is the length of an ordinary row: a constant, since the weights of rows written
 * long ago must agree with those of today. A word that begins with a Han character also gives the term by which that
 * character alone is found.
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

/** The words of a question, each weighing as often as it comes, at most `maxRepeats` times. */
export function questionWords(tokens: readonly string[], maxRepeats = 8): SparseWords {
  const counts = new Map<number, number>();
  for (const term of searchedTerms(tokens)) {
    const index = wordNumber(term);
    counts.set(index, (counts.get(index) ?? 0) + 1);
  }
  return toSparse(counts, (repeats) => Math.min(repeats, maxRepeats));
}

/** What is looked up for a question: its words, or for a lone Han character the term of the words that begin with it. */
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
 * The number of a word, 0 to 2³² - 1: FNV-1a over its UTF-16 code units, and murmur3's finaliser. Of a million words some
 * hundred pairs share a number; a row then weighs for either.
 */
export function wordNumber(word: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < word.length; index++) hash = Math.imul(hash ^ word.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
