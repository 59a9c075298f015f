import type { Passage } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { Answer } from './ask.ts';

/** The source of a marker `[n]`. */
export interface Evidence {
  marker: number;
  chunkId: string;
  documentId: string;
  corpus: string;
  title: string;
  url: string;
  /** Page on which the passage begins, from 1; 0 if the document has no pages. */
  page: number;
  /** The passage with its offsets; absent for an answer of an earlier visit. */
  passage?: Passage;
}

/** Returns the sources of an answer's markers, in order: its sources, or the stored citations. */
export function evidenceOf(answer: Answer): Evidence[] {
  if (answer.sources.length > 0) {
    return answer.sources.map((passage, index) => {
      const { chunkId, documentId, corpus, title, url } = passage;
      const page = passage.regions[0]?.page ?? 0;
      return { marker: index + 1, chunkId, documentId, corpus, title, url, page, passage };
    });
  }
  const byMarker = new Map(answer.citations.map((citation) => [citation.marker, citation]));
  return [...byMarker.values()]
    .sort((a, b) => a.marker - b.marker)
    .map(({ marker, chunkId, documentId, corpus, title, url, page }) => ({
      marker,
      chunkId,
      documentId,
      corpus,
      title,
      url,
      page,
    }));
}

/** Reports whether a source is the result of a tool, and no document. */
export function isToolResult({ corpus, documentId }: Pick<Evidence, 'corpus' | 'documentId'>): boolean {
  return corpus === '' && documentId.startsWith('tool:');
}

/** Returns the markers that the server has resolved in the text. */
export function citedMarkers(answer: Answer): ReadonlySet<number> {
  return new Set(answer.citations.map(({ marker }) => marker));
}

/** A part of a text, in UTF-16 code units; `end` is exclusive. */
export interface Range {
  start: number;
  end: number;
}

/**
 * Returns the range of a passage in its document: the occurrence of its text that is nearest to its offsets; else its offsets, if
 * the text there is similar. Returns `undefined` if the document no longer holds the passage.
 */
export function locatePassage(
  text: string,
  passage: Pick<Passage, 'text' | 'startOffset' | 'endOffset'>,
): Range | undefined {
  const { startOffset: start, endOffset: end } = passage;
  const found = findNearest(text, passage.text, start);
  if (found !== undefined) return { start: found, end: found + passage.text.length };
  if (start < end && end <= text.length && isAlike(text.slice(start, end), passage.text)) return { start, end };
  return undefined;
}

function findNearest(text: string, part: string, place: number): number | undefined {
  if (part === '') return undefined;
  const found = [text.lastIndexOf(part, place), text.indexOf(part, place)].filter((index) => index >= 0);
  return found.sort((a, b) => Math.abs(a - place) - Math.abs(b - place))[0];
}

/** Reports whether most letter pairs of one text are in the other: cleaning may have changed blanks and marks. */
function isAlike(there: string, passage: string): boolean {
  const pairs = letterPairs(there);
  if (pairs.size === 0) return passage.trim() === '';
  const known = letterPairs(passage);
  let sharedCount = 0;
  for (const pair of pairs) if (known.has(pair)) sharedCount++;
  return sharedCount / pairs.size >= 0.6;
}

function letterPairs(text: string): Set<string> {
  const letters = text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '');
  const pairs = new Set<string>();
  for (let index = 0; index + 1 < letters.length; index++) pairs.add(letters.slice(index, index + 2));
  return pairs;
}
