import { stemmer } from 'stemmer';

/** A word that a text has, with what it names. */
export interface FoundWord {
  /** Number of what it names. */
  entry: number;
  /** As it was added; English as stems, with blanks between them. */
  word: string;
}

/** Words and phrases that are found in texts, Chinese and English. */
export interface WordIndex {
  /** Adds a word; "_" joins the words of a phrase. */
  add(word: string, entry: number): void;
  /** Returns the words of a text in normal form. Linear in its length. */
  find(plain: string): FoundWord[];
}

const HAN_RUN = /\p{sc=Han}+/gu;
/** A word of letters, or one that begins with a digit and is no quantity: 2fa. */
const LATIN_WORD = /(?<![a-z\d.,])\dfa(?![a-z\d])|[a-z]+(?:-[a-z]+)*/g;

export function createWordIndex(): WordIndex {
  /** Chinese words by first character, longest first. */
  const chinese = new Map<string, FoundWord[]>();
  /** English phrases by first stem, longest first. */
  const english = new Map<string, { stems: readonly string[]; found: FoundWord }[]>();
  return {
    add(word, entry) {
      if (/\p{sc=Han}/u.test(word)) {
        insert(chinese, word[0] as string, { entry, word }, (one) => one.word.length);
        return;
      }
      const stems = stemsOf(word);
      const found = { entry, word: stems.join(' ') };
      insert(english, stems[0] as string, { stems, found }, (one) => one.stems.length);
    },
    find(plain) {
      const found: FoundWord[] = [];
      for (const [run] of plain.matchAll(HAN_RUN)) {
        for (let start = 0; start < run.length; start++) {
          for (const one of chinese.get(run[start] as string) ?? []) {
            if (run.startsWith(one.word, start)) found.push(one);
          }
        }
      }
      const stems = Array.from(plain.matchAll(LATIN_WORD), ([word]) => stemmer(word.replaceAll('-', '')));
      for (const [start, stem] of stems.entries()) {
        for (const { stems: phrase, found: one } of english.get(stem) ?? []) {
          if (phrase.every((part, offset) => stems[start + offset] === part)) found.push(one);
        }
      }
      return found;
    },
  };
}

/** Returns the stems of a phrase whose words "_" or blanks join. */
export function stemsOf(phrase: string): string[] {
  return phrase.split(/[ _]/).map((part) => stemmer(part.replaceAll('-', '')));
}

function insert<T>(map: Map<string, T[]>, key: string, value: T, lengthOf: (value: T) => number): void {
  const list = map.get(key) ?? [];
  list.push(value);
  list.sort((a, b) => lengthOf(b) - lengthOf(a));
  map.set(key, list);
}
