import { createUint32List, shareBytes, shareUint32 } from '../rows/shared.ts';
import { createStringTableBuilder, type StringTable, stringBytes, stringCount } from '../rows/strings.ts';

/** The words of rows as an inverted index in shared memory: for each word the rows that have it, and how often. */
export interface WordSegment {
  words: StringTable;
  /** Postings of word w are those from `starts[w]` to the one before `starts[w + 1]`. */
  starts: Uint32Array<SharedArrayBuffer>;
  /** The position of a posting's row; those of a word ascend. */
  rows: Uint32Array<SharedArrayBuffer>;
  /** How often that row has the word, at most {@link maxCounted}. */
  counts: Uint8Array<SharedArrayBuffer>;
  /** Words of each row. */
  lengths: Uint32Array<SharedArrayBuffer>;
}

/** Collects the postings of one word after another. */
export interface WordSegmentBuilder {
  /** Begins a word that was not there before, given as UTF-8. */
  beginWord(source: Uint8Array, start: number, end: number): void;
  /** Adds a row that has the word `count` times. */
  add(position: number, count: number): void;
  /** Ends the word. A word without rows is not kept. */
  endWord(): void;
  /** `lengths`: words of each row. */
  share(lengths: Uint32Array): WordSegment;
}

/** Most occurrences of a word in a row that are counted; more do not change the score noticeably. */
const maxCounted = 255;

/** Returns the size of a segment in bytes. */
export function wordSegmentBytes({ words, starts, rows, counts, lengths }: WordSegment): number {
  return stringBytes(words) + starts.byteLength + rows.byteLength + counts.byteLength + lengths.byteLength;
}

/** Creates a segment. */
export function createWordSegmentBuilder(): WordSegmentBuilder {
  const words = createStringTableBuilder();
  const starts = createUint32List();
  let rows = new Uint32Array(1024);
  let counts = new Uint8Array(rows.length);
  let filled = 0;
  let begun: [source: Uint8Array, start: number, end: number] | undefined;
  let first = 0;
  let isAscending = true;
  return {
    beginWord(source, start, end) {
      begun = [source, start, end];
      first = filled;
      isAscending = true;
    },
    add(position, count) {
      if (begun !== undefined) {
        if (words.numberOf(...begun) !== starts.length) throw new Error('each word must come once');
        starts.push(filled);
        begun = undefined;
      }
      if (filled === rows.length) {
        const [moreRows, moreCounts] = [new Uint32Array(filled * 2), new Uint8Array(filled * 2)];
        moreRows.set(rows);
        moreCounts.set(counts);
        [rows, counts] = [moreRows, moreCounts];
      }
      isAscending &&= filled === first || (rows[filled - 1] as number) < position;
      rows[filled] = position;
      counts[filled++] = Math.min(maxCounted, count);
    },
    endWord() {
      begun = undefined;
      if (!isAscending) sortPostings(rows.subarray(first, filled), counts.subarray(first, filled));
    },
    share(lengths) {
      starts.push(filled);
      return {
        words: words.share(),
        starts: starts.share(),
        rows: shareUint32(rows, filled),
        counts: shareBytes(counts, filled),
        lengths: shareUint32(lengths),
      };
    },
  };
}

function sortPostings(rows: Uint32Array, counts: Uint8Array): void {
  // A row and its count in one number.
  const both = Float64Array.from(rows, (row, index) => row * (maxCounted + 1) + (counts[index] as number)).sort();
  for (const [index, number] of both.entries()) {
    counts[index] = number % (maxCounted + 1);
    rows[index] = Math.floor(number / (maxCounted + 1));
  }
}

/** Creates a segment of texts: the words of each row, joined by spaces. */
export function wordSegmentOf(texts: readonly string[]): WordSegment {
  const lengths = new Uint32Array(texts.length);
  const postings = new Map<string, { positions: number[]; counts: number[] }>();
  for (const [position, text] of texts.entries()) {
    for (const word of text.split(' ')) {
      if (word === '') continue;
      lengths[position] = (lengths[position] as number) + 1;
      let posting = postings.get(word);
      if (posting === undefined) {
        posting = { positions: [], counts: [] };
        postings.set(word, posting);
      }
      const last = posting.positions.length - 1;
      if (posting.positions[last] === position) posting.counts[last] = (posting.counts[last] as number) + 1;
      else {
        posting.positions.push(position);
        posting.counts.push(1);
      }
    }
  }
  const builder = createWordSegmentBuilder();
  for (const [word, { positions, counts }] of postings) {
    const bytes = Buffer.from(word, 'utf8');
    builder.beginWord(bytes, 0, bytes.length);
    for (const [index, position] of positions.entries()) builder.add(position, counts[index] as number);
    builder.endWord();
  }
  return builder.share(lengths);
}

/**
 * Creates a segment of the rows of several. `positions`, for each of them: the new position of each row, or {@link dropped}.
 * `rowCount`: rows of the result.
 */
export function mergeWordSegments(
  segments: readonly WordSegment[],
  positions: readonly Uint32Array[],
  rowCount: number,
): WordSegment {
  const lengths = new Uint32Array(rowCount);
  const words = createStringTableBuilder();
  // The places of each word's postings: a segment and the word's number there, in a chain that begins at the word's head.
  const links: { segment: number; word: number; before: number }[] = [];
  const heads: number[] = [];
  for (const [index, segment] of segments.entries()) {
    const places = positions[index] as Uint32Array;
    for (const [position, place] of places.entries()) {
      if (place !== dropped) lengths[place] = segment.lengths[position] as number;
    }
    const { bytes, offsets } = segment.words;
    for (let word = 0; word < stringCount(segment.words); word++) {
      const number = words.numberOf(bytes, offsets[word] as number, offsets[word + 1] as number);
      links.push({ segment: index, word, before: heads[number] ?? -1 });
      heads[number] = links.length - 1;
    }
  }
  const builder = createWordSegmentBuilder();
  for (const head of heads) {
    const first = links[head] as (typeof links)[number];
    const { bytes, offsets } = (segments[first.segment] as WordSegment).words;
    builder.beginWord(bytes, offsets[first.word] as number, offsets[first.word + 1] as number);
    for (let at = head; at >= 0; ) {
      const { segment: index, word, before } = links[at] as (typeof links)[number];
      const segment = segments[index] as WordSegment;
      const places = positions[index] as Uint32Array;
      const end = segment.starts[word + 1] as number;
      for (let posting = segment.starts[word] as number; posting < end; posting++) {
        const place = places[segment.rows[posting] as number] as number;
        if (place !== dropped) builder.add(place, segment.counts[posting] as number);
      }
      at = before;
    }
    builder.endWord();
  }
  return builder.share(lengths);
}

/** The new position of a row that the result does not have. */
export const dropped = 0xffffffff;
