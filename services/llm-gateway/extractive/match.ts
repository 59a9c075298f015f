import { normalizeText } from '#kit/text/normalize.ts';
import { tokenize } from '#kit/text/tokenize.ts';
import type { Term } from './question.ts';

/** A text, ready to be searched for terms. */
export interface SearchText {
  plain: string;
  tokens: ReadonlySet<string>;
}

/** Reads a text. */
export function toSearchText(text: string): SearchText {
  return { plain: normalizeText(text), tokens: new Set(tokenize(text, { mode: 'index' })) };
}

/** Credit for a longer Chinese word of which only parts are found, per part. */
const partCredit = 0.8;

/** How far a text holds a term, 0 to 1. Between them: a part of a Chinese word. */
export function matchTerm({ text, isHan }: Term, { plain, tokens }: SearchText): number {
  if (!isHan) return tokens.has(text) ? 1 : 0;
  if (plain.includes(text)) return 1;
  const characters = [...text];
  if (characters.length < 3) return 0;
  let found = 0;
  for (let index = 1; index < characters.length; index++) {
    if (plain.includes(`${characters[index - 1]}${characters[index]}`)) found += 1;
  }
  return (partCredit * found) / (characters.length - 1);
}
