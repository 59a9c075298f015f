import { stemmer } from 'stemmer';
import { EVERYDAY_CONCEPTS } from './everyday.ts';
import { PLACES } from './places.ts';

/** A word of a concept that a text has. */
export interface ConceptWord {
  concept: number;
  /** As the concept writes it; English as stems, with blanks between them. */
  word: string;
}

/** Words of each concept, by its number; those of places are the larger place alone. */
const members: (readonly string[])[] = [];
/** Chinese words by first character, longest first. */
const chinese = new Map<string, ConceptWord[]>();
/** English phrases by first stem, longest first. */
const english = new Map<string, { stems: readonly string[]; entry: ConceptWord }[]>();

for (const line of EVERYDAY_CONCEPTS.trim().split('\n')) {
  const words = line.split(/[\s|]+/).filter((word) => word !== '');
  addConcept(words, words);
}
for (const line of PLACES.trim().split('\n')) {
  const [larger = '', places = ''] = line.split(':');
  const names = larger.split('|').map((name) => name.trim().replaceAll(' ', '_'));
  addConcept([...names, ...places.trim().split(/\s+/)], names);
}
for (const list of chinese.values()) list.sort((a, b) => b.word.length - a.word.length);
for (const list of english.values()) list.sort((a, b) => b.stems.length - a.stems.length);

function addConcept(words: readonly string[], shown: readonly string[]): void {
  const concept = members.length;
  for (const word of words) {
    if (/\p{sc=Han}/u.test(word)) {
      push(chinese, word[0] as string, { concept, word });
      continue;
    }
    const stems = stemsOf(word);
    push(english, stems[0] as string, { stems, entry: { concept, word: stems.join(' ') } });
  }
  members.push(shown.map((word) => word.replaceAll('_', ' ')));
}

function push<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}

/** Words of a concept that documents use, in each language. */
const FORMAL_COUNT = 2;

/**
 * Returns what documents write for what a text says in other everyday words (晚到: 延误), in the language of those words; for a place, the
 * larger place.
 */
export function formalWords(plain: string): string[] {
  const found = new Set<string>();
  for (const { concept, word } of conceptsOf(plain)) {
    const isChinese = /\p{sc=Han}/u.test(word);
    const formal = (members[concept] ?? [])
      .filter((member) => /\p{sc=Han}/u.test(member) === isChinese)
      .slice(0, FORMAL_COUNT);
    const stems = formal.map((member) => (isChinese ? member : stemsOf(member).join(' ')));
    if (stems.includes(word)) continue;
    for (const member of formal) found.add(member);
  }
  return [...found];
}

function stemsOf(phrase: string): string[] {
  return phrase.split(/[ _]/).map((part) => stemmer(part.replaceAll('-', '')));
}

const HAN_RUN = /\p{sc=Han}+/gu;
const LATIN_WORD = /[a-z]+(?:-[a-z]+)*/g;

/** Returns the everyday concepts of a text in normal form, each with the word that names it. Linear in the length. */
export function conceptsOf(plain: string): ConceptWord[] {
  const found: ConceptWord[] = [];
  for (const [run] of plain.matchAll(HAN_RUN)) {
    for (let start = 0; start < run.length; start++) {
      for (const entry of chinese.get(run[start] as string) ?? []) {
        if (run.startsWith(entry.word, start)) found.push(entry);
      }
    }
  }
  const stems = Array.from(plain.matchAll(LATIN_WORD), ([word]) => stemmer(word.replaceAll('-', '')));
  for (const [start, stem] of stems.entries()) {
    for (const { stems: phrase, entry } of english.get(stem) ?? []) {
      if (phrase.every((part, offset) => stems[start + offset] === part)) found.push(entry);
    }
  }
  return found;
}
