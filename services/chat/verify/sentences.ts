import { splitSentences } from '#kit/text/sentences.ts';

/** A sentence of an answer: a half-open range of UTF-16 code units, with the markers in it or after it. */
export interface CitedSentence {
  start: number;
  end: number;
  markers: number[];
}

const marker = /\[(\d{1,3})\]/g;
const spacedMarker = /\s*\[\d{1,3}\]/g;
const leadingMarkers = /^(?:\s?\[\d{1,3}\])+[。.，,;；]?/;
/** The number of a list item or a step, which states nothing: `1.`, `2)`, `3、`, `（四）`, `Step 2:`, 第2步. */
const itemNumber =
  /^\s*(?:[-*+•·]\s+|#{1,6}\s+|>\s?)*(?:\*\*)?(?:\(?\d{1,2}[.)、](?!\d)|[（(]\d{1,2}[)）]|step \d{1,2}\b|步骤\s?\d{1,2}|第\s?\d{1,2}\s?步)/i;

/** Returns the sentences with the markers that follow them; a marker after the full stop belongs to the sentence before it. */
export function citedSentences(text: string, sourceCount: number): CitedSentence[] {
  const sentences: CitedSentence[] = [];
  for (let { start, end } of splitSentences(text)) {
    const leading = leadingMarkers.exec(text.slice(start, end))?.[0] ?? '';
    const before = sentences.at(-1);
    if (leading !== '' && before !== undefined && !text.slice(before.end, start).includes('\n')) {
      const more = markersOf(leading, sourceCount);
      before.markers = [...new Set([...before.markers, ...more])];
      before.end = start + leading.length;
      start += leading.length;
      if (text.slice(start, end).trim() === '') continue;
      while (/\s/.test(text.charAt(start))) start++;
    }
    sentences.push({ start, end, markers: markersOf(text.slice(start, end), sourceCount) });
  }
  return sentences;
}

/** Returns the different markers of a text that name one of `sourceCount` sources, in order. */
export function markersOf(text: string, sourceCount: number): number[] {
  const numbers = [...text.matchAll(marker)].map(([, number]) => Number(number));
  return [...new Set(numbers)].filter((number) => number >= 1 && number <= sourceCount);
}

/** Returns what a sentence states: its text without markers and without the number of a list item. */
export function claimOf(sentence: string): string {
  return sentence.replace(itemNumber, ' ').replace(spacedMarker, '').trim();
}

/** Returns a text without its markers. */
export const withoutMarkers = (text: string): string => text.replace(marker, ' ').trim();
