/** C0 and C1 controls except tab and line feed, byte order marks, and noncharacters. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const invisible = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F\uFEFF\uFFFE\uFFFF]/g;

/**
 * Returns the text in a form that can be stored and sent: line ends are `\n`, control characters are removed, lone surrogates
 * become U+FFFD. Words, spaces and punctuation do not change.
 */
export function cleanText(text: string): string {
  return text
    .toWellFormed()
    .replaceAll('\r\n', '\n')
    .replace(/[\r\u0085\u2028\u2029]/g, '\n')
    .replace(invisible, '');
}

/** Returns clean text on one line, for titles, headings and cells. */
export function cleanLine(text: string): string {
  return cleanText(text).replace(/\s+/g, ' ').trim();
}

/** Returns at most the first `length` UTF-16 code units, without half a surrogate pair at the end. */
export function clip(text: string, length: number): string {
  if (text.length <= length) return text;
  const end = (text.charCodeAt(length - 1) & 0xfc00) === 0xd800 ? length - 1 : length;
  return text.slice(0, end);
}
