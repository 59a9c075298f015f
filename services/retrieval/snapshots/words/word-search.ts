import type { QueryWord } from '#kit/text/query/query-words.ts';
import { bm25 } from '../../stores/bm25.ts';
import type { RowTable } from '../rows/row-table.ts';
import { type RowScope, rowTest } from '../rows/row-test.ts';
import { findString } from '../rows/strings.ts';
import { createTopHits } from '../top-hits.ts';
import type { ScoredRow } from '../vectors/vector-search.ts';
import { countBits, maxCounted, type WordSegment } from './word-segment.ts';

/** Searches the words of a segment's rows. The words are those of one version: rows of other versions change no score. */
export interface WordSearcher {
  /** Returns the statistics of a version. */
  statisticsOf(version: number): WordStatistics;
  /** Returns the best rows by BM25. `weights`: each word's weight in the question times its idf over all segments of the search. */
  search(weights: ReadonlyMap<string, number>, meanLength: number, scope: RowScope, limit: number): ScoredRow[];
}

/** The statistics of a segment's rows that are in a version. */
export interface WordStatistics {
  rowCount: number;
  /** Words of all rows together. */
  wordCount: number;
  /** Returns the number of rows that have a word. */
  frequencyOf(word: string): number;
}

const { k1, b } = bm25;

/** Versions whose statistics are kept: the live one, and the one before it for searches that began earlier. */
const maxVersions = 2;

interface VersionState extends WordStatistics {
  version: number;
  generation: number;
}

/** Creates the search of a segment. `scratch` is memory that all searchers of a thread share. */
export function createWordSearcher(rows: RowTable, segment: WordSegment, scratch: Scratch): WordSearcher {
  const rowCount = rows.keys.length;
  const states: VersionState[] = [];
  return {
    statisticsOf(version) {
      const generation = Atomics.load(rows.generation, 0);
      const known = states.findIndex((state) => state.version === version && state.generation === generation);
      const state = known < 0 ? countVersion(rows, segment, version, generation) : (states[known] as VersionState);
      if (known >= 0) states.splice(known, 1);
      states.unshift(state);
      states.length = Math.min(states.length, maxVersions);
      return state;
    },
    search(weights, meanLength, scope, limit) {
      const { lengths, starts, postings } = segment;
      const lists: { next: number; end: number; weight: number }[] = [];
      for (const [word, weight] of weights) {
        const number = findString(segment.words, word);
        if (number < 0) continue;
        lists.push({ next: starts[number] as number, end: starts[number + 1] as number, weight: weight * (k1 + 1) });
      }
      const top = createTopHits(limit, rowTest(rows, scope));
      const lengthFactor = (k1 * b) / meanLength;
      for (let first = 0; first < rowCount; first += blockRows) {
        const end = Math.min(first + blockRows, rowCount);
        scratch.fill(0);
        for (const list of lists) {
          const { weight } = list;
          let index = list.next;
          for (; index < list.end; index++) {
            const posting = postings[index] as number;
            const position = posting >>> countBits;
            if (position >= end) break;
            const count = posting & maxCounted;
            const norm = k1 * (1 - b) + lengthFactor * (lengths[position] as number);
            scratch[position - first] = (scratch[position - first] as number) + (weight * count) / (count + norm);
          }
          list.next = index;
        }
        top.add(scratch, first, end - first);
      }
      return top.best();
    },
  };
}

/** Rows that are scored together: their scores and lengths fit in the cache of a core. */
const blockRows = 16_384;

/** Memory for the scores of a block. */
export type Scratch = Float64Array;

/** Creates the memory. */
export function createScratch(): Scratch {
  return new Float64Array(blockRows);
}

// Counts the rows of a version; the rows of each word are counted when a question has it.
function countVersion(rows: RowTable, segment: WordSegment, version: number, generation: number): VersionState {
  const { addedIn, removedIn } = rows;
  const inVersion = new Uint8Array(addedIn.length);
  let rowCount = 0;
  let wordCount = 0;
  for (let position = 0; position < inVersion.length; position++) {
    if ((addedIn[position] as number) > version || (removedIn[position] as number) <= version) continue;
    inVersion[position] = 1;
    rowCount++;
    wordCount += segment.lengths[position] as number;
  }
  const isWhole = rowCount === inVersion.length;
  const frequencies = new Map<string, number>();
  const count = (word: string): number => {
    const number = findString(segment.words, word);
    if (number < 0) return 0;
    const [start, end] = [segment.starts[number] as number, segment.starts[number + 1] as number];
    if (isWhole) return end - start;
    let found = 0;
    for (let index = start; index < end; index++) {
      found += inVersion[(segment.postings[index] as number) >>> countBits] as number;
    }
    return found;
  };
  return {
    version,
    generation,
    rowCount,
    wordCount,
    frequencyOf(word) {
      let frequency = frequencies.get(word);
      if (frequency === undefined) {
        frequency = count(word);
        if (frequencies.size >= maxFrequencies) frequencies.clear();
        frequencies.set(word, frequency);
      }
      return frequency;
    },
  };
}

/** Words whose frequency is kept, of a version. */
const maxFrequencies = 20_000;

/** A segment to search, with the scope of its rows. */
export interface WordTarget {
  searcher: WordSearcher;
  scope: RowScope;
}

/** Returns the best rows of several segments, at most `limit` of each. `target` is the index of a row's segment. */
export function searchWords(
  targets: readonly WordTarget[],
  words: readonly QueryWord[],
  limit: number,
): (ScoredRow & { target: number })[] {
  const statistics = targets.map(({ searcher, scope }) => searcher.statisticsOf(scope.version));
  const rowCount = statistics.reduce((sum, each) => sum + each.rowCount, 0);
  const meanLength = statistics.reduce((sum, each) => sum + each.wordCount, 0) / Math.max(1, rowCount);
  const weights = new Map<string, number>();
  for (const { word, weight } of words) {
    const frequency = statistics.reduce((sum, each) => sum + each.frequencyOf(word), 0);
    // The idf is above 0 for every word, so that a small corpus, in which many words are in most rows, can be searched too.
    if (frequency > 0) weights.set(word, weight * Math.log(1 + (rowCount - frequency + 0.5) / (frequency + 0.5)));
  }
  return targets.flatMap(({ searcher, scope }, target) =>
    searcher.search(weights, meanLength, scope, limit).map((row) => ({ ...row, target })),
  );
}
