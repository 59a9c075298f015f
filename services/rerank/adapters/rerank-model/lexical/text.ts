import { LRUCache } from 'lru-cache';
import { extractFacts } from '#kit/text/facts/quick-facts.ts';
import { detectLanguage, type Language } from '#kit/text/language.ts';
import { tokenize } from '#kit/text/tokenize.ts';

/** What is read of a candidate's text, in UTF-16 code units. Chunks are far shorter; this bounds the work for what is not one. */
export const readLength = 16_384;

/** Joins the title and headings above a passage. */
const titleJoiner = ' › ';

/** A text as scoring wants it, whatever the question. */
export interface LexicalText {
  /** Words by their number, in the order of the text. */
  words: Uint32Array;
  /** Words of the title as a whole, and of each heading in it. */
  titles: readonly ReadonlySet<string>[];
  /** Codes, dates, addresses and quantities. */
  facts(): ReadonlySet<string>;
  language: Language;
}

/** Texts that were read, by what they say: the same passages are candidates again and again. */
export interface LexicalTexts {
  read(title: string, text: string): LexicalText;
  /** Returns the number of a word; `undefined` if no known text has it. */
  numberOf(word: string): number | undefined;
  /** Whether it knows so many words that new ones should begin in its place. */
  isFull(): boolean;
}

/** Words that may have a number, so that texts of all kinds over years do not fill the memory. */
const maxWords = 2_000_000;

/** Creates the texts, `maxBytes` of them at most. */
export function createLexicalTexts(maxBytes: number): LexicalTexts {
  const numbers = new Map<string, number>();
  // By the text alone: within a process it is the same string each time, whose hash is known. Few texts have two titles.
  const texts = new LRUCache<string, { title: string; lexical: LexicalText }>({
    maxSize: maxBytes,
    sizeCalculation: ({ lexical }, text) => lexical.words.byteLength + text.length * 2 + 1024,
  });
  const toNumber = (word: string): number => {
    let number = numbers.get(word);
    if (number === undefined) {
      number = numbers.size;
      numbers.set(word, number);
    }
    return number;
  };
  return {
    read(title, text) {
      const read = text.slice(0, readLength);
      const known = texts.get(read);
      if (known?.title === title) return known.lexical;
      const headings = title.split(titleJoiner).map((heading) => new Set(tokenize(heading, { mode: 'index' })));
      const whole = new Set(headings.flatMap((heading) => [...heading]));
      let facts: ReadonlySet<string> | undefined;
      const lexical: LexicalText = {
        words: Uint32Array.from(tokenize(read, { mode: 'index' }), toNumber),
        titles: headings.length > 1 ? [whole, ...headings] : [whole],
        // Finding facts costs as much as all the rest, so only for a question that has some.
        facts: () => {
          facts ??= new Set(extractFacts(`${title}\n${read}`));
          return facts;
        },
        language: detectLanguage(read),
      };
      texts.set(read, { title, lexical });
      return lexical;
    },
    numberOf: (word) => numbers.get(word),
    isFull: () => numbers.size > maxWords,
  };
}
