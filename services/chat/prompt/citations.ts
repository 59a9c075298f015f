/** What became of a piece of text. */
export interface Scanned {
  /** The text to show; may be empty while a marker is half read. */
  text: string;
  /** Markers in it that are new, in the order of their first use. */
  markers: number[];
}

/** Reads a text as it comes, however it is cut, and finds the markers in it. */
export interface CitationScanner {
  push(delta: string): Scanned;
  /** The text has ended: what was held back comes out. */
  end(): Scanned;
}

/** A marker is held back until it is whole; one longer than this (UTF-16 code units) is text. */
const maxMarkerLength = 64;
/** `[1]`, `[1, 2]`, `【3】`, before it is closed. */
const listed = /^\s*\d{1,3}(?:\s*[,，、]\s*\d{1,3})*\s*$/;

/**
 * Creates a scanner for an answer with `sourceCount` sources. Markers come out in one form, `[1][2]`, whether they were written
 * as `[1][2]`, `[1, 2]` or `【1】`. A number without a source is dropped, and so is the space before it. Code (fences and
 * spans), links and escaped brackets are left alone, as in CommonMark (sections 2.4, 4.5 and 6.1).
 */
export function createCitationScanner(sourceCount: number): CitationScanner {
  const seen = new Set<number>();
  let out = '';
  let markers: number[] = [];
  // What is held back: at most one space, an opening bracket, its content, its closing bracket.
  let held = '';
  let isClosed = false;
  // Code that the text is in: closed by a run of `mark` at least (fence) or exactly (span) `length` long.
  let code: { kind: 'fence' | 'span'; mark: string; length: number } | undefined;
  let run = { mark: '', length: 0, atLineStart: false };
  let atLineStart = true;
  let isEscaped = false;

  const release = () => {
    out += held;
    if (held.trim() !== '') atLineStart = false;
    held = '';
    isClosed = false;
  };

  const resolve = () => {
    const hasSpace = held.startsWith(' ');
    const numbers = (held.match(/\d+/g) ?? []).map(Number).filter((number) => number >= 1 && number <= sourceCount);
    held = '';
    isClosed = false;
    if (numbers.length === 0) return;
    atLineStart = false;
    out += (hasSpace ? ' ' : '') + numbers.map((number) => `[${number}]`).join('');
    for (const number of numbers) {
      if (seen.has(number)) continue;
      seen.add(number);
      markers.push(number);
    }
  };

  // Takes a character into what is held, where it belongs there.
  const hold = (character: string): boolean => {
    const bracket = held.replace(' ', '')[0];
    if (isClosed) {
      if (character === '(' && bracket === '[') release();
      else resolve();
      return false;
    }
    if (bracket === undefined) {
      if (character === '[' || character === '【') {
        held += character;
        return true;
      }
    } else if (character === (bracket === '[' ? ']' : '】') && listed.test(held.slice(held.indexOf(bracket) + 1))) {
      held += character;
      isClosed = true;
      return true;
    } else if (/[\d ,，、]/.test(character) && held.length < maxMarkerLength) {
      held += character;
      return true;
    }
    release();
    return false;
  };

  // A run of backticks or tildes is over: it may have opened or closed code.
  const endRun = () => {
    const { mark, length, atLineStart: leads } = run;
    run = { mark: '', length: 0, atLineStart: false };
    if (code === undefined) {
      if (leads && length >= 3) code = { kind: 'fence', mark, length };
      else if (mark === '`') code = { kind: 'span', mark, length };
    } else if (mark === code.mark) {
      const isEnd = code.kind === 'fence' ? leads && length >= code.length : length === code.length;
      if (isEnd) code = undefined;
    }
  };

  const read = (character: string) => {
    if (run.length > 0 && character !== run.mark) endRun();
    if (held !== '' && hold(character)) return;
    const isPlain = code === undefined && !isEscaped;
    const isMark = character === '`' || (character === '~' && (atLineStart || run.mark === '~'));
    if (isMark && !(isEscaped && code === undefined)) {
      if (run.length === 0) run = { mark: character, length: 0, atLineStart };
      run.length++;
      atLineStart = false;
    } else if (isPlain && (character === ' ' || character === '[' || character === '【')) {
      held = character;
      return;
    } else if (character === '\n') {
      // A span that was never closed was a stray backtick; it must not hide the markers of the lines after it.
      if (code?.kind === 'span') code = undefined;
      atLineStart = true;
    } else if (character !== ' ') {
      atLineStart = false;
    }
    isEscaped = isPlain && character === '\\';
    out += character;
  };

  const take = (): Scanned => {
    const scanned = { text: out, markers };
    out = '';
    markers = [];
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
