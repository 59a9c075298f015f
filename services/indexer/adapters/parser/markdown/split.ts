const fence = /^ {0,3}(`{3,}|~{3,})/;
/** Starts of HTML that continues over empty lines, each with its end: CommonMark 0.31, section 4.6, kinds 1 to 5. */
const rawHtml: readonly (readonly [start: RegExp, end: RegExp])[] = [
  [/^ {0,3}<(?:script|pre|style|textarea)(?:[\s>]|$)/i, /<\/(?:script|pre|style|textarea)>/i],
  [/^ {0,3}<!--/, /-->/],
  [/^ {0,3}<\?/, /\?>/],
  [/^ {0,3}<!\[CDATA\[/, /\]\]>/],
  [/^ {0,3}<![a-z]/i, />/],
];

/**
 * Splits a Markdown text into pieces that can be parsed separately. A piece ends at a heading or, if there is none, at an empty
 * line, and never inside code or a comment. The time of the parser grows faster than the text, so a long text is parsed in pieces.
 */
export function splitMarkdown(text: string, aimLength: number): string[] {
  if (text.length <= aimLength) return [text];
  const pieces: string[] = [];
  let start = 0;
  /** The end of what is open: code or HTML. */
  let isEnd: ((line: string) => boolean) | undefined;
  for (let at = 0; at < text.length; ) {
    const newline = text.indexOf('\n', at);
    const end = newline === -1 ? text.length : newline + 1;
    if (isEnd !== undefined) {
      if (isEnd(text.slice(at, end))) isEnd = undefined;
    } else {
      const line = text.slice(at, Math.min(end, at + 80));
      isEnd = endOf(line, text.slice(at, end));
      const length = at - start;
      if (length >= aimLength && (isHeading.test(line) || (length > aimLength * 2 && isFresh(text, at, line)))) {
        pieces.push(text.slice(start, at));
        start = at;
      }
    }
    at = end;
  }
  pieces.push(text.slice(start));
  return pieces;
}

const isHeading = /^#{1,6}[ \t]/;

/** Whether a line comes after an empty one and is not indented: an indented one may belong to the list before it. */
function isFresh(text: string, at: number, line: string): boolean {
  return text[at - 1] === '\n' && text[at - 2] === '\n' && /^\S/.test(line);
}

/** Returns what ends the code or HTML that a line opens. */
function endOf(line: string, whole: string): ((line: string) => boolean) | undefined {
  const mark = fence.exec(line)?.[1];
  if (mark !== undefined) return (later) => fence.exec(later)?.[1]?.startsWith(mark) === true;
  for (const [start, end] of rawHtml) {
    const opened = start.exec(line);
    if (opened !== null) return end.test(whole.slice(opened[0].length)) ? undefined : (later) => end.test(later);
  }
  return undefined;
}
