import type { QueryWord } from '#kit/text/query/query-words.ts';
import { type TopHits, topHits } from './top-hits.ts';
import { aclTest } from './vector-block.ts';

/** The words of an index version in memory: for each word the rows that have it, and how often. */
export interface KeywordBlock {
  /** Approximate size in bytes. */
  readonly sizeBytes: number;
  readonly rowCount: number;
  /** Words of all rows together. */
  readonly wordCount: number;
  /** Returns the number of rows that have a word. */
  frequencyOf(word: string): number;
  /** Returns the best rows by BM25. `weights`: each word's weight in the question times its idf over all blocks of the search. */
  search(weights: ReadonlyMap<string, number>, meanLength: number, aclIds: readonly number[], limit: number): TopHits;
}

/**
 * The constants of BM25 (Robertson & Zaragoza 2009, §3.2). Chunks have similar lengths, so a longer one usually has more topics: its length
 * counts almost fully. Chosen on five public sets in Chinese and English; each set was measured with constants chosen on the others.
 */
const k1 = 1.5;
const b = 0.9;

/** Most occurrences of a word in a row that are counted; more do not change the score noticeably. */
const maxCounted = 255;

/**
 * Loads words into memory. `aclIds` are the access lists of the rows, in order. `postings` yields each word once, with the ascending positions
 * of the rows that have it, one for each occurrence.
 */
export function createKeywordBlock(
  aclIds: Int32Array,
  postings: Iterable<{ word: string; positions: readonly number[] }>,
): KeywordBlock {
  const rowCount = aclIds.length;
  const lengths = new Uint32Array(rowCount);
  const places = new Map<string, { start: number; count: number }>();
  let rows = new Uint32Array(Math.max(1024, rowCount * 16));
  let counts = new Uint8Array(rows.length);
  let filled = 0;
  let wordCount = 0;
  let keyBytes = 0;
  for (const { word, positions } of postings) {
    const start = filled;
    if (filled + positions.length > rows.length) {
      const grown = Math.max(rows.length * 2, filled + positions.length);
      const [moreRows, moreCounts] = [new Uint32Array(grown), new Uint8Array(grown)];
      moreRows.set(rows);
      moreCounts.set(counts);
      rows = moreRows;
      counts = moreCounts;
    }
    for (const position of positions) {
      lengths[position] = (lengths[position] as number) + 1;
      wordCount++;
      if (filled > start && rows[filled - 1] === position) {
        counts[filled - 1] = Math.min(maxCounted, (counts[filled - 1] as number) + 1);
      } else {
        rows[filled] = position;
        counts[filled++] = 1;
      }
    }
    if (filled === start) continue;
    places.set(word, { start, count: filled - start });
    keyBytes += 120 + word.length * 2;
  }
  rows = rows.slice(0, filled);
  counts = counts.slice(0, filled);
  const scores = new Float64Array(rowCount);
  return {
    sizeBytes: filled * 5 + rowCount * 16 + keyBytes,
    rowCount,
    wordCount,
    frequencyOf: (word) => places.get(word)?.count ?? 0,
    search(weights, meanLength, allowedIds, limit) {
      scores.fill(0);
      for (const [word, questionWeight] of weights) {
        const place = places.get(word);
        if (place === undefined) continue;
        const weight = questionWeight * (k1 + 1);
        for (let index = place.start; index < place.start + place.count; index++) {
          const position = rows[index] as number;
          const count = counts[index] as number;
          const norm = k1 * (1 - b + (b * (lengths[position] as number)) / meanLength);
          scores[position] = (scores[position] as number) + (weight * count) / (count + norm);
        }
      }
      const passes = aclTest(allowedIds);
      return topHits(scores, rowCount, limit, 0, (position) => passes(aclIds[position] as number));
    },
  };
}

/** Returns the best rows of several blocks. `block` is the index of a hit's block. */
export function searchKeywordBlocks(
  blocks: readonly KeywordBlock[],
  words: readonly QueryWord[],
  aclIds: readonly number[],
  limit: number,
): { block: number; position: number; score: number }[] {
  const rowCount = blocks.reduce((sum, block) => sum + block.rowCount, 0);
  const meanLength = blocks.reduce((sum, block) => sum + block.wordCount, 0) / Math.max(1, rowCount);
  const weights = new Map<string, number>();
  for (const { word, weight } of words) {
    const frequency = blocks.reduce((sum, block) => sum + block.frequencyOf(word), 0);
    // The idf is above 0 for every word, so that a small corpus, in which many words are in most rows, can be searched too.
    if (frequency > 0) weights.set(word, weight * Math.log(1 + (rowCount - frequency + 0.5) / (frequency + 0.5)));
  }
  const hits = blocks.flatMap((block, at) => {
    const { positions, scores } = block.search(weights, meanLength, aclIds, limit);
    return Array.from(positions, (position, index) => ({ block: at, position, score: scores[index] as number }));
  });
  return blocks.length === 1 ? hits : hits.sort((a, b) => b.score - a.score || a.block - b.block).slice(0, limit);
}
