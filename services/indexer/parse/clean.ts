/** C0 and C1 controls save tab and line feed, byte order marks, and noncharacters. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const invisible = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F\uFEFF\uFFFE\uFFFF]/g;

/**
 * Text as it was written, fit to be stored and sent: line ends are `\n`, control characters are gone, lone surrogates are
 * U+FFFD. Words, spaces and punctuation stay.
 */
export function cleanText(text: string): string {
  return text
    .toWellFormed()
    .replaceAll('\r\n', '\n')
    .replace(/[\r\u0085\u2028\u2029]/g, '\n')
    .replace(invisible, '');
}

/** Clean text on one line: for titles, headings and cells. */
export function cleanLine(text: string): string {
  return cleanText(text).replace(/\s+/g, ' ').trim();
}

/** The first `length` UTF-16 code units, without half a character at the end. */
export function clip(text: string, length: number): string {
  if (text.length <= length) return text;
  const end = (text.charCodeAt(length - 1) & 0xfc00) === 0xd800 ? length - 1 : length;
  return text.slice(0, end);
}
