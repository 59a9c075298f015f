/** Bounds of a plan. */
export interface PlanBounds {
  /** Most different words. @default 32 */
  maxWords?: number;
  /** Most repeats of a word that count. @default 8 */
  maxRepeats?: number;
  /** Words that are searched at any cost. @default 3 */
  sureWords?: number;
  /** Most postings of all words together. @default 12000 */
  maxPostings?: number;
}

/**
 * Returns the words of a question that are worth searching, the highest weight first (repeats times BM25's idf, Robertson & Zaragoza 2009,
 * §3.1), each as often as it counts. Omits unknown words, and frequent words that would exceed the bound on postings. BM25 scores every row
 * that has any of the words, so without a bound a long question would read the whole index for no better result.
 */
export function planWords(
  words: readonly string[],
  frequencyOf: (word: string) => number,
  rowCount: number,
  bounds: PlanBounds = {},
): string[] {
  const { maxWords = 32, maxRepeats = 8, sureWords = 3, maxPostings = 12_000 } = bounds;
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  const weighed = [...counts]
    .map(([word, count]) => {
      const repeats = Math.min(count, maxRepeats);
      const frequency = frequencyOf(word);
      const idf = Math.log(1 + (Math.max(0, rowCount - frequency) + 0.5) / (frequency + 0.5));
      return { word, repeats, frequency, weight: repeats * idf };
    })
    .filter(({ frequency }) => frequency > 0)
    .sort((a, b) => b.weight - a.weight)
    .slice(0, maxWords);
  const planned: string[] = [];
  let postings = 0;
  for (const [rank, { word, repeats, frequency }] of weighed.entries()) {
    const cost = frequency * repeats;
    if (rank >= sureWords && postings + cost > maxPostings) continue;
    postings += cost;
    for (let repeat = 0; repeat < repeats; repeat++) planned.push(word);
  }
  return planned;
}
