/** Follows a Markdown text and knows whether the next character is in code or escaped. */
export interface CodeTracker {
  /** Reads ahead by one character: a run of backticks or tildes ends before any other character. */
  before(character: string): void;
  /** Whether the next character is text: neither in code nor escaped. */
  isPlain(): boolean;
  /** Takes one character of the text. */
  take(character: string): void;
  /** Notes text that was not given to `take`. */
  onText(): void;
}

/** Creates a tracker of code fences, code spans and escapes, as in CommonMark (sections 2.4, 4.5 and 6.1). */
export function createCodeTracker(): CodeTracker {
  // A fence is closed by a run of at least `length` marks, a span by a run of exactly `length`.
  let code: { kind: 'fence' | 'span'; mark: string; length: number } | undefined;
  let run = { mark: '', length: 0, atLineStart: false };
  let atLineStart = true;
  let isEscaped = false;

  const open = ({ mark, length, atLineStart: leads }: typeof run) => {
    if (leads && length >= 3) code = { kind: 'fence', mark, length };
    else if (mark === '`') code = { kind: 'span', mark, length };
  };
  const endRun = () => {
    const { mark, length, atLineStart: leads } = run;
    if (code === undefined) open(run);
    else if (mark === code.mark) {
      const isEnd = code.kind === 'fence' ? leads && length >= code.length : length === code.length;
      if (isEnd) code = undefined;
    }
    run = { mark: '', length: 0, atLineStart: false };
  };
  const isMark = (character: string) => character === '`' || (character === '~' && (atLineStart || run.mark === '~'));

  return {
    before(character) {
      if (run.length > 0 && character !== run.mark) endRun();
    },
    isPlain: () => code === undefined && !isEscaped,
    take(character) {
      const wasEscaped = isEscaped;
      isEscaped = code === undefined && !isEscaped && character === '\\';
      if (isMark(character) && !(wasEscaped && code === undefined)) {
        if (run.length === 0) run = { mark: character, length: 0, atLineStart };
        run.length++;
        atLineStart = false;
      } else if (character === '\n') {
        // A span that was never closed was a stray backtick; it must not hide the markers of the lines after it.
        if (code?.kind === 'span') code = undefined;
        atLineStart = true;
      } else if (character !== ' ') {
        atLineStart = false;
      }
    },
    onText() {
      atLineStart = false;
    },
  };
}
