import { type TopHits, topHits } from './top-hits.ts';
import { aclTest } from './vector-block.ts';

/** The words of an index version, in memory: for each, the rows that have it and how often. */
export interface KeywordBlock {
  /** Bytes that it holds, about. */
  readonly sizeBytes: number;
  readonly rowCount: number;
  /** Words of all rows together. */
  readonly wordCount: number;
  /** Rows that have a word. */
  frequencyOf(word: string): number;
  /** The best rows by BM25 with statistics over all blocks that are searched together. */
  search(words: ReadonlyMap<string, WordWeight>, meanLength: number, aclIds: readonly number[], limit: number): TopHits;
}

/** A word of a question. */
export interface WordWeight {
  /** How often the question has it. */
  repeats: number;
  idf: number;
}

/** BM25 (Robertson & Zaragoza 2009, §3.2), with the constants of SQLite's FTS5. */
const k1 = 1.2;
const b = 0.75;

/** Words of a row that are counted one by one; what a row repeats more often says no more. */
const maxCounted = 255;

/**
 * Puts words into memory. `aclIds`: of the rows, in order. `postings`: each word once, with the positions of the rows that have it,
 * ascending, a position for each time.
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
    search(words, meanLength, allowedIds, limit) {
      scores.fill(0);
      for (const [word, { repeats, idf }] of words) {
        const place = places.get(word);
        if (place === undefined) continue;
        const weight = repeats * idf * (k1 + 1);
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

/** The best rows of several blocks together; `block` is the place of each hit's block. */
export function searchKeywordBlocks(
  blocks: readonly KeywordBlock[],
  words: readonly string[],
  aclIds: readonly number[],
  limit: number,
): { block: number; position: number; score: number }[] {
  const rowCount = blocks.reduce((sum, block) => sum + block.rowCount, 0);
  const meanLength = blocks.reduce((sum, block) => sum + block.wordCount, 0) / Math.max(1, rowCount);
  const weights = new Map<string, WordWeight>();
  for (const word of words) {
    const known = weights.get(word);
    if (known !== undefined) known.repeats++;
    else {
      const frequency = blocks.reduce((sum, block) => sum + block.frequencyOf(word), 0);
      if (frequency === 0) continue;
      // As FTS5 has it: a word that more than half of the rows have still counts a little.
      const idf = Math.max(1e-6, Math.log((rowCount - frequency + 0.5) / (frequency + 0.5)));
      weights.set(word, { repeats: 1, idf });
    }
  }
  const hits = blocks.flatMap((block, at) => {
    const { positions, scores } = block.search(weights, meanLength, aclIds, limit);
    return Array.from(positions, (position, index) => ({ block: at, position, score: scores[index] as number }));
  });
  return blocks.length === 1 ? hits : hits.sort((a, b) => b.score - a.score || a.block - b.block).slice(0, limit);
}
