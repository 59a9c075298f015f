import type { Passage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { splitSentences } from '#kit/text/sentences.ts';
import { tokenize } from '#kit/text/tokenize.ts';
import { visibleText } from '#kit/text/visible/visible-text.ts';

/** Lowest share of the claim's words that a sentence must have to be quoted in its place. */
const minShare = 0.3;
/** Longest sentence that is quoted, in UTF-16 code units. */
const maxLength = 400;

/**
 * Returns the sentence of the cited passages that is closest to a claim, with its marker: what a document says about the same subject.
 * Returns `undefined` if none is close.
 */
export function quotationFor(
  claim: string,
  markers: readonly number[],
  passages: readonly Passage[],
): string | undefined {
  const words = new Set(tokenize(claim, { mode: 'query' }));
  let best: { text: string; share: number } | undefined;
  for (const marker of markers) {
    const text = visibleText(passages[marker - 1]?.text ?? '');
    for (const { start, end } of splitSentences(text)) {
      const sentence = text.slice(start, end);
      if (sentence.length > maxLength || /^(?:#{1,6}\s|```|~~~)/.test(sentence)) continue;
      const own = new Set(tokenize(sentence, { mode: 'index' }));
      let shared = 0;
      for (const word of words) if (own.has(word)) shared++;
      const share = shared / words.size;
      if (share < minShare || share <= (best?.share ?? 0)) continue;
      best = { text: `${plain(sentence)} [${marker}]`, share };
    }
  }
  return best?.text;
}

/** A row of a table, a list item or a quotation as running text; a number in brackets would be read as a marker. */
function plain(sentence: string): string {
  const row = /^\s*\|(.*)\|\s*$/.exec(sentence)?.[1];
  const text = row === undefined ? sentence.replace(/^\s*(?:[-*+•·]\s+|>\s?|\d{1,3}[.)]\s)/, '') : row.trim();
  return text
    .replaceAll(/\s*\|\s*/g, ' · ')
    .replaceAll(/\[(\d{1,3})\]/g, '($1)')
    .trim();
}
