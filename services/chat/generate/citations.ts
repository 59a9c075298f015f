import { createCodeTracker } from './markdown-code.ts';

/** The result of a piece of text. */
export interface Scanned {
  /** The text to show; may be empty while a marker is half read. */
  text: string;
  /** Markers in it that are new, in the order of their first use. */
  markers: number[];
  /** Numbers without a source that were dropped. */
  droppedCount: number;
}

/** Reads a text in pieces, however it is cut, and finds the markers in it. */
export interface CitationScanner {
  push(delta: string): Scanned;
  /** The text has ended: returns what was held back. */
  end(): Scanned;
}

/** A marker is held back until it is complete; one longer than this (UTF-16 code units) is text. */
const maxMarkerLength = 64;
/** `[1]`, `[1, 2]`, `【3】`, before it is closed. */
const listed = /^\s*\d{1,3}(?:\s*[,，、]\s*\d{1,3})*\s*$/;

/**
 * Creates a scanner for an answer with `sourceCount` sources. All markers are shown in one form, `[1][2]`, whether they were written
 * as `[1][2]`, `[1, 2]` or `【1】`. A number without a source is dropped, and so is the space before it. Code (fences and spans), links
 * and escaped brackets stay as they are, as in CommonMark (sections 2.4, 4.5 and 6.1).
 */
export function createCitationScanner(sourceCount: number): CitationScanner {
  const seen = new Set<number>();
  const code = createCodeTracker();
  let out = '';
  let markers: number[] = [];
  let droppedCount = 0;
  // What is held back: at most one space, an opening bracket, its content, its closing bracket.
  let held = '';
  let isClosed = false;

  const release = () => {
    out += held;
    if (held.trim() !== '') code.onText();
    held = '';
    isClosed = false;
  };

  const resolve = () => {
    const hasSpace = held.startsWith(' ');
    const written = (held.match(/\d+/g) ?? []).map(Number);
    const numbers = written.filter((number) => number >= 1 && number <= sourceCount);
    droppedCount += written.length - numbers.length;
    held = '';
    isClosed = false;
    if (numbers.length === 0) return;
    code.onText();
    out += (hasSpace ? ' ' : '') + numbers.map((number) => `[${number}]`).join('');
    for (const number of numbers) {
      if (seen.has(number)) continue;
      seen.add(number);
      markers.push(number);
    }
  };

  // Adds a character to what is held, if it belongs there; otherwise ends what is held.
  const hold = (character: string): boolean => {
    const bracket = held.replace(' ', '')[0];
    if (isClosed) {
      if (character === '(' && bracket === '[') release();
      else resolve();
      return false;
    }
    if (canFollow(held, bracket, character)) {
      held += character;
      return true;
    }
    if (isClosing(held, bracket, character)) {
      held += character;
      isClosed = true;
      return true;
    }
    release();
    return false;
  };

  const read = (character: string) => {
    code.before(character);
    if (held !== '' && hold(character)) return;
    if (code.isPlain() && (character === ' ' || isOpening(character))) {
      held = character;
      return;
    }
    code.take(character);
    out += character;
  };

  const take = (): Scanned => {
    const scanned = { text: out, markers, droppedCount };
    out = '';
    markers = [];
    droppedCount = 0;
    return scanned;
  };

  return {
    push(delta) {
      for (let index = 0; index < delta.length; index++) read(delta.charAt(index));
      return take();
    },
    end() {
      if (isClosed) resolve();
      else release();
      return take();
    },
  };
}

const isOpening = (character: string): boolean => character === '[' || character === '【';

// After a space only a bracket is held; after a bracket, what a list of numbers consists of.
function canFollow(held: string, bracket: string | undefined, character: string): boolean {
  if (bracket === undefined) return isOpening(character);
  return /[\d ,，、]/.test(character) && held.length < maxMarkerLength;
}

function isClosing(held: string, bracket: string | undefined, character: string): boolean {
  if (bracket === undefined || character !== (bracket === '[' ? ']' : '】')) return false;
  return listed.test(held.slice(held.indexOf(bracket) + 1));
}
