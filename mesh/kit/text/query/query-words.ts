import { foldTraditional } from '../han-variants.ts';
import { normalizeText } from '../normalize.ts';
import { CHINESE_STOP_CHARACTERS } from '../stop-words.ts';
import { tokenize } from '../tokenize.ts';

/** A word of a question. */
export interface QueryWord {
  word: string;
  /** How much it counts; 1 for one that the question has once. */
  weight: number;
}

/** How a question is read. */
export interface QueryWordOptions {
  /** Whether Chinese bigrams are weighed by the borders of words. @default true */
  wordBorders?: boolean;
  /** Terms that are one word, whatever a dictionary says: names, products. @default none */
  protectedTerms?: readonly string[];
}

/** Weight of a bigram that is no part of a word: it says little, and is still the only trace of a word that no dictionary has. */
const CROSSING_WEIGHT = 0.5;
/** How much more the words of a protected term count. */
const PROTECTED_WEIGHT = 2;
/** Characters of a question that are segmented into words; for the rest of a longer one, bigrams suffice. */
const CUT_LENGTH_MAX = 1000;

const HAN_RUN = /\p{sc=Han}{2,}/gu;
// The words of ICU's dictionary for Chinese; the same in every Node of a version.
const dictionary = new Intl.Segmenter('zh', { granularity: 'word' });

/**
 * Returns the different words of a question with their weights, in order of first appearance. A weight is the count of the word, and half
 * as much for a Chinese bigram that only occurs across the border of two words (`户端首` in 客户端|首次), because unrelated texts have those
 * too.
 */
export function weighWords(
  text: string,
  { wordBorders = true, protectedTerms = [] }: QueryWordOptions = {},
): QueryWord[] {
  const weights = new Map<string, number>();
  for (const word of tokenize(text, { mode: 'query' })) weights.set(word, (weights.get(word) ?? 0) + 1);
  if (wordBorders) {
    const inside = new Set<string>();
    const across = new Set<string>();
    for (const [run] of normalizeText(text.slice(0, CUT_LENGTH_MAX), foldTraditional).matchAll(HAN_RUN)) {
      cutIntoWords(run, inside, across);
    }
    for (const bigram of across) {
      const weight = weights.get(bigram);
      if (weight !== undefined && !inside.has(bigram)) weights.set(bigram, weight * CROSSING_WEIGHT);
    }
  }
  for (const term of protectedTerms) {
    for (const word of new Set(tokenize(term, { mode: 'index' }))) weights.set(word, PROTECTED_WEIGHT);
  }
  return Array.from(weights, ([word, weight]) => ({ word, weight }));
}

function cutIntoWords(run: string, inside: Set<string>, across: Set<string>): void {
  let last: readonly string[] = [];
  for (const { segment } of dictionary.segment(run)) {
    const characters = [...segment];
    const bigram = `${last.at(-1) ?? ''}${characters[0]}`;
    // Two adjacent single characters are often a word that the dictionary does not have: 退货.
    const isUnknownWord = isAlone(last) && isAlone(characters);
    if (last.length > 0) (isUnknownWord ? inside : across).add(bigram);
    for (let index = 1; index < characters.length; index++) inside.add(`${characters[index - 1]}${characters[index]}`);
    last = characters;
  }
}

const isAlone = (characters: readonly string[]): boolean =>
  characters.length === 1 && !CHINESE_STOP_CHARACTERS.has(characters[0] as string);
