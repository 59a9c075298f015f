import { foldTraditional } from './han-variants.ts';
import { normalizeText } from './normalize.ts';

/** Returns the text as wordings are compared: in normal form, without markers [n], blanks, quotation marks, and commas in numbers. */
export function comparableText(text: string): string {
  return normalizeText(text.replace(/\[\d{1,3}\]/g, ''), foldTraditional)
    .replace(/(?<=\d),(?=\d{3})/g, '')
    .replace(/[\s*"“”]/g, '');
}

/** Returns whether a comparable text has a comparable wording as such: "5 days" is not in "15 days", "10" not in "100". */
export function holdsWording(text: string, wording: string): boolean {
  for (let at = text.indexOf(wording); at >= 0; at = text.indexOf(wording, at + 1)) {
    const isCutBefore = /^\d/.test(wording) && /\d\.?$/.test(text.slice(Math.max(0, at - 2), at));
    const after = text.slice(at + wording.length, at + wording.length + 2);
    const isCutAfter = /\d$/.test(wording) && /^(?:\d|\.\d)/.test(after);
    if (!isCutBefore && !isCutAfter) return true;
  }
  return false;
}
