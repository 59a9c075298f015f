const fence = /^ {0,3}(`{3,}|~{3,})/;

/**
 * Splits a Markdown text into pieces that can be parsed separately. A piece ends at a heading or, if there is none, at an empty
 * line, and never inside code. The time of the parser grows faster than the text, so a long text is parsed in pieces.
 */
export function splitMarkdown(text: string, aimLength: number): string[] {
  if (text.length <= aimLength) return [text];
  const pieces: string[] = [];
  let start = 0;
  let open: string | undefined;
  for (let at = 0; at < text.length; ) {
    const newline = text.indexOf('\n', at);
    const end = newline === -1 ? text.length : newline + 1;
    const line = text.slice(at, Math.min(end, at + 80));
    const mark = fence.exec(line)?.[1];
    if (open !== undefined) {
      if (mark?.startsWith(open)) open = undefined;
    } else if (mark !== undefined) {
      open = mark;
    } else {
      const length = at - start;
      // An indented line may belong to the list before it.
      const isAfterEmpty = text[at - 1] === '\n' && text[at - 2] === '\n' && /^\S/.test(line);
      const isBreak = /^#{1,6}[ \t]/.test(line) || (length > aimLength * 2 && isAfterEmpty);
      if (length >= aimLength && isBreak) {
        pieces.push(text.slice(start, at));
        start = at;
      }
    }
    at = end;
  }
  pieces.push(text.slice(start));
  return pieces;
}
