import { normalizeText } from '#kit/text/normalize.ts';
import { tokenize } from '#kit/text/tokenize.ts';
import type { Term } from './question.ts';

/** A text that is prepared for matching. */
export interface SearchText {
  plain: string;
  tokens: ReadonlySet<string>;
}

/** Prepares a text for matching. */
export function toSearchText(text: string): SearchText {
  return { plain: normalizeText(text), tokens: new Set(tokenize(text, { mode: 'index' })) };
}

/** Score of a longer Chinese word of which only parts match, for each part. */
const partCredit = 0.8;

/** Returns how well a text matches a term, 0 to 1. Between them: a part of a Chinese word. */
export function matchTerm({ text, isHan }: Term, { plain, tokens }: SearchText): number {
  if (!isHan) return tokens.has(text) || (plainNumber.test(text) && isInRange(Number(text), plain)) ? 1 : 0;
  if (plain.includes(text)) return 1;
  const characters = [...text];
  if (characters.length < 3) return 0;
  let found = 0;
  for (let index = 1; index < characters.length; index++) {
    if (plain.includes(`${characters[index - 1]}${characters[index]}`)) found += 1;
  }
  return (partCredit * found) / (characters.length - 1);
}

const plainNumber = /^\d{1,6}(?:\.\d{1,3})?$/;
const range = /(?<![\d.-])(\d{1,6}(?:\.\d{1,3})?)\s?[-–—~～至到]\s?(\d{1,6}(?:\.\d{1,3})?)(?![\d.-])/g;

/** Returns whether a text has a range that includes the number: 70–89 includes 85. */
function isInRange(value: number, plain: string): boolean {
  for (const [, from, to] of plain.matchAll(range)) {
    if (Number(from) <= value && value <= Number(to)) return true;
  }
  return false;
}
