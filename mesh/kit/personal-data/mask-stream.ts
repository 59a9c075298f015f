import type { Finding } from './detectors/detector.ts';
import type { FindPersonalData } from './find.ts';

/** Text that is rewritten piece by piece, as it arrives. */
export interface TextStream {
  push(delta: string): string;
  /** The text has ended: returns what was held back. */
  end(): string;
}

/** Ends of lines and sentences: no value continues after one. A point ends a sentence after a word of three letters, and no title such as "Dr.". */
const ends = /[\n。！？!?；]|(?<=\p{L}{3})\.(?=\s)/gu;
/** Text that is held back without such an end, and what of it stays held so that a value at the end is whole; in UTF-16 code units. */
const heldMax = 1024;
const tailLength = 320;
/** Text before, in which a word can say what a value is. */
const contextLength = 64;

/**
 * Masks a text that arrives in pieces: the result is the same however it is cut, and no part of a value leaves before it is known to be one. Text is
 * held back to the end of its sentence, and at most 1,024 UTF-16 code units.
 */
export function createMaskStream(
  find: FindPersonalData,
  nameOf: (finding: Finding, value: string) => string,
): TextStream {
  let context = '';
  let held = '';

  // Masks and releases the first `length` of what is held.
  const release = (length: number): string => {
    const findings = find(context + held.slice(0, heldMax + 1));
    let out = '';
    let done = 0;
    let cut = length;
    for (const { kind, start, end } of findings) {
      const [from, to] = [Math.max(0, start - context.length), end - context.length];
      if (to <= 0 || from >= cut) continue;
      // A value at the cut leaves as a whole.
      cut = Math.max(cut, to);
      out += held.slice(done, from) + nameOf({ kind, start: from, end: to }, held.slice(from, to));
      done = to;
    }
    out += held.slice(done, cut);
    context = (context + held.slice(0, cut)).slice(-contextLength);
    held = held.slice(cut);
    return out;
  };

  return {
    push(delta) {
      held += delta;
      let out = '';
      // Sentence by sentence, so that the result does not depend on how the text is cut.
      for (;;) {
        ends.lastIndex = 0;
        const end = ends.exec(held)?.index ?? heldMax;
        if (end < heldMax) out += release(end + 1);
        else if (held.length > heldMax) out += release(lastSpace(held, heldMax - tailLength));
        else return out;
      }
    },
    end: () => (held === '' ? '' : release(held.length)),
  };
}

/** Returns the place after the last space before a place, or the place itself if there is none nearby. */
function lastSpace(text: string, before: number): number {
  const place = text.lastIndexOf(' ', before);
  return place > before - tailLength ? place + 1 : before;
}
