import { tokenize } from '#kit/text/tokenize.ts';

/** Most terms of a question that are compared. */
const maxTerms = 24;
/** Characters of a question that are read for them: what is longer is a document, or an attack. */
const maxCharacters = 500;
/** Share of terms, of those that either has, that two questions of one topic have in common. */
const minOverlap = 0.5;

/** Returns what a question is about, to be compared with others: its distinct search terms, in order. */
export function termsOf(question: string): string[] {
  return [...new Set(tokenize(question.slice(0, maxCharacters), { mode: 'query' }))].sort().slice(0, maxTerms);
}

/** Whether two questions ask for the same thing, by the number of terms of each and of those in common. */
export function isSameTopic(sharedCount: number, oneCount: number, otherCount: number): boolean {
  return sharedCount > 0 && sharedCount / (oneCount + otherCount - sharedCount) >= minOverlap;
}
