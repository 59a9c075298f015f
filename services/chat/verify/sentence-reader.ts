import { type CitedSentence, citedSentences } from './sentences.ts';

/** A sentence that has ended, with the white space before it. */
export interface EndedSentence {
  text: string;
  markers: number[];
}

/** Reads a text in pieces, and returns each sentence when its end is known. */
export interface SentenceReader {
  push(piece: string): EndedSentence[];
  /** The text has ended: returns what was held. */
  end(): EndedSentence[];
}

/** Text without an end of a sentence is held up to this length, in UTF-16 code units. */
const maxHeld = 2000;
const mayEnd = /[。！？!?.．｡\n]/;
const fence = /^[ \t]*(?:```|~~~)/gm;
/**
 * Creates a reader for a text with `sourceCount` sources. A sentence has ended when the next one begins, since a marker may follow its
 * full stop, or when it has its marker and a full stop. A block of code is one piece.
 */
export function createSentenceReader(sourceCount: number): SentenceReader {
  let held = '';
  const take = (end: number, markers: number[]): EndedSentence => {
    const text = held.slice(0, end);
    held = held.slice(end);
    return { text, markers };
  };
  const takeEnded = (isOver: boolean): EndedSentence[] => {
    const isInCode = (held.match(fence)?.length ?? 0) % 2 === 1;
    if (isInCode && !isOver && held.length < maxHeld) return [];
    const found = citedSentences(held, sourceCount);
    const last = found.at(-1);
    const isLastOver = isOver || held.length >= maxHeld || (last !== undefined && isClosed(held, last));
    const ended = isLastOver ? found : found.slice(0, -1);
    let before = 0;
    const sentences = ended.map(({ end, markers }) => {
      const sentence = take(end - before, markers);
      before = end;
      return sentence;
    });
    if (isOver && held !== '') {
      if (sentences.length > 0) (sentences.at(-1) as EndedSentence).text += held;
      else sentences.push({ text: held, markers: [] });
      held = '';
    }
    return sentences;
  };
  return {
    push(piece) {
      held += piece;
      return mayEnd.test(held) || held.length >= maxHeld ? takeEnded(false) : [];
    },
    end: () => (held === '' ? [] : takeEnded(true)),
  };
}

// Whether no marker can follow a sentence, and no text can continue it.
function isClosed(text: string, { start, end, markers }: CitedSentence): boolean {
  const sentence = text.slice(start, end);
  const after = text.slice(end);
  if (after.includes('\n')) return /[。！？!?.｡:：\]]["'”’)）*_]*$/.test(sentence) || /\n\s*\n/.test(after);
  if (markers.length === 0) return false;
  return /[。！？｡]["”’)）]*$/.test(sentence) || (/^\s/.test(after) && /[.!?]["'”’)）]*$/.test(sentence));
}
