import { createUint32List, shareUint32 } from '../rows/shared.ts';
import { createStringTableBuilder, type StringTable, stringBytes, stringCount } from '../rows/strings.ts';

/** The words of rows as an inverted index in shared memory: for each word the rows that have it, and how often. */
export interface WordSegment {
  words: StringTable;
  /** Postings of word w are those from `starts[w]` to the one before `starts[w + 1]`. */
  starts: Uint32Array<SharedArrayBuffer>;
  /** A posting: the position of a row, and in its {@link countBits} lowest bits how often it has the word. Those of a word ascend. */
  postings: Uint32Array<SharedArrayBuffer>;
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

/** See {@link WordSegment.postings}. */
export const countBits = 8;
/** Most occurrences of a word in a row that are counted, and the bits of a posting that have them; more do not change the score noticeably. */
export const maxCounted = 2 ** countBits - 1;
/** Most rows of a segment, by the bits of a posting. */
const maxRows = 2 ** (32 - countBits);

/** Returns the size of a segment in bytes. */
export function wordSegmentBytes({ words, starts, postings, lengths }: WordSegment): number {
  return stringBytes(words) + starts.byteLength + postings.byteLength + lengths.byteLength;
}

/** Creates a segment. */
export function createWordSegmentBuilder(): WordSegmentBuilder {
  const words = createStringTableBuilder();
  const starts = createUint32List();
  let postings = new Uint32Array(1024);
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
      if (filled === postings.length) {
        const more = new Uint32Array(filled * 2);
        more.set(postings);
        postings = more;
      }
      const posting = position * (maxCounted + 1) + Math.min(maxCounted, count);
      isAscending &&= filled === first || (postings[filled - 1] as number) < posting;
      postings[filled++] = posting;
    },
    endWord() {
      begun = undefined;
      if (!isAscending) postings.subarray(first, filled).sort();
    },
    share(lengths) {
      if (lengths.length > maxRows) throw new Error(`a segment has at most ${maxRows} rows`);
      starts.push(filled);
      return {
        words: words.share(),
        starts: starts.share(),
        postings: shareUint32(postings, filled),
        lengths: shareUint32(lengths),
      };
    },
  };
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
      for (let index = segment.starts[word] as number; index < end; index++) {
        const posting = segment.postings[index] as number;
        const place = places[posting >>> countBits] as number;
        if (place !== dropped) builder.add(place, posting & maxCounted);
      }
      at = before;
    }
    builder.endWord();
  }
  return builder.share(lengths);
}

/** The new position of a row that the result does not have. */
export const dropped = 0xffffffff;
