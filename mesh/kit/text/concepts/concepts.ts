import { EVERYDAY_CONCEPTS } from './everyday.ts';
import { kindNames } from './kinds.ts';
import { PLACES } from './places.ts';
import { THINGS } from './things.ts';
import { createWordIndex, stemsOf } from './word-index.ts';

/** A word of a concept that a text has. */
export interface ConceptWord {
  concept: number;
  /** As the concept writes it; English as stems, with blanks between them. */
  word: string;
}

/** Words of each concept, by its number; those of places are the larger place alone. */
const members: (readonly string[])[] = [];
const index = createWordIndex();

for (const line of [...EVERYDAY_CONCEPTS.trim().split('\n'), ...THINGS.trim().split('\n')]) {
  const words = line.split(/[\s|]+/).filter((word) => word !== '');
  addConcept(words, words);
}
for (const line of PLACES.trim().split('\n')) {
  const [larger = '', places = ''] = line.split(':');
  const names = larger.split('|').map((name) => name.trim().replaceAll(' ', '_'));
  addConcept([...names, ...places.trim().split(/\s+/)], names);
}

function addConcept(words: readonly string[], shown: readonly string[]): void {
  for (const word of words) index.add(word, members.length);
  members.push(shown.map((word) => word.replaceAll('_', ' ')));
}

/** Words of a concept that documents use, in each language. */
const FORMAL_COUNT = 2;

/**
 * Returns what documents write for what a text says in other everyday words (晚到: 延误), in the language of those words; for a place, the
 * larger place; for a thing, its kind.
 */
export function formalWords(plain: string): string[] {
  const found = new Set<string>();
  const named = conceptsOf(plain);
  // A verb of one character counts by itself only: 退 of 可以退吗, not of 退款.
  const rest = named.reduce((text, { word }) => (word.length > 1 ? text.replaceAll(word, ' ') : text), plain);
  for (const { concept, word } of named) {
    if (word.length === 1 && !rest.includes(word)) continue;
    const isChinese = /\p{sc=Han}/u.test(word);
    const formal = (members[concept] ?? [])
      .filter((member) => /\p{sc=Han}/u.test(member) === isChinese)
      .slice(0, FORMAL_COUNT);
    const stems = formal.map((member) => (isChinese ? member : stemsOf(member).join(' ')));
    // The second word of documents gets the first one: 邮费 gets 运费.
    if (stems[0] === word) continue;
    for (const [at, member] of formal.entries()) if (stems[at] !== word) found.add(member);
  }
  for (const name of kindNames(plain)) found.add(name);
  return [...found];
}

/** Returns the everyday concepts of a text in normal form, each with the word that names it. Linear in the length. */
export function conceptsOf(plain: string): ConceptWord[] {
  return index.find(plain).map(({ entry, word }) => ({ concept: entry, word }));
}
