/** A line of the source, without what its block takes away at its front. */
export interface Line {
  text: string;
  start: number;
}

/** A line without its first characters. */
export function cut({ text, start }: Line, count: number): Line {
  return { text: text.slice(count), start: start + count };
}

/** Count of the blanks that a text begins with. */
export function leadingBlanks(text: string): number {
  return text.length - text.trimStart().length;
}

/** Whether a line is there and has nothing on it. */
export function isBlank(line: Line | undefined): boolean {
  return line !== undefined && line.text.trim() === '';
}

/** The line at an index; an empty one behind the last. */
export function lineAt(lines: readonly Line[], index: number): Line {
  return lines[index] ?? { text: '', start: 0 };
}

/** The place of lines in the source, from the first to the end of the last. */
export function placeOf(lines: readonly Line[]): { start: number; end: number } {
  const last = lines.at(-1);
  return { start: lines[0]?.start ?? 0, end: last === undefined ? 0 : last.start + last.text.length };
}
