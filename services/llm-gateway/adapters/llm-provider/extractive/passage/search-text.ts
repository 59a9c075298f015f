import { conceptsOf } from '#kit/text/concepts/concepts.ts';
import { tokenize } from '#kit/text/tokenize.ts';
import { type Term, toPlain } from '../question/question.ts';

/** A text that is prepared for matching. */
export interface SearchText {
  plain: string;
  tokens: ReadonlySet<string>;
  /** Everyday concepts that it names with a word of at least two characters. */
  concepts: ReadonlySet<number>;
}

/** Prepares a text for matching. */
export function toSearchText(text: string): SearchText {
  const plain = toPlain(text);
  const concepts = conceptsOf(plain).filter(({ word }) => word.length > 1);
  return {
    plain,
    tokens: new Set(tokenize(plain, { mode: 'index' })),
    concepts: new Set(concepts.map(({ concept }) => concept)),
  };
}

/** Score of a longer Chinese word of which only parts match, for each part. */
const partCredit = 0.8;
/** Score of another word for the same everyday concept. */
const conceptCredit = 0.75;

/** Returns how well a text matches a term, 0 to 1. Between them: a part of a Chinese word, another word for the same concept. */
export function matchTerm({ text, isHan, concepts }: Term, { plain, tokens, concepts: named }: SearchText): number {
  if (isHan ? plain.includes(text) : tokens.has(text) || (plainNumber.test(text) && isInRange(Number(text), plain))) {
    return 1;
  }
  const byConcept = concepts.some((concept) => named.has(concept)) ? conceptCredit : 0;
  if (!isHan) return byConcept;
  const characters = [...text];
  if (characters.length < 3) return byConcept;
  let found = 0;
  for (let index = 1; index < characters.length; index++) {
    if (plain.includes(`${characters[index - 1]}${characters[index]}`)) found += 1;
  }
  return Math.max(byConcept, (partCredit * found) / (characters.length - 1));
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
