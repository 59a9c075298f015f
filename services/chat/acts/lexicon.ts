import { readFileSync } from 'node:fs';

/** What a word says about a message: `HELLO`, `HUMAN`, `WANT`. The words are in lexicon-zh.txt and lexicon-en.txt. */
export type Tag = string;

/** A word of a message with its tag; `X`: no word of the lexicon. */
export interface TaggedWord {
  readonly tag: Tag;
  readonly text: string;
}

const readLines = (language: 'zh' | 'en') =>
  readFileSync(new URL(`lexicon-${language}.txt`, import.meta.url), 'utf8')
    .trim()
    .split('\n');

const chinese = new Map<string, Tag>();
for (const line of readLines('zh')) {
  const [tag = '', ...words] = line.split(' ');
  // The first tag of a word is the one that counts.
  for (const word of words) if (!chinese.has(word)) chinese.set(word, tag);
}
const longestChinese = Math.max(...[...chinese.keys()].map((word) => word.length));

const english = readLines('en').map((line) => {
  const at = line.indexOf(' ');
  // Not at the | in parentheses.
  const words = line.slice(at + 1).split(/\|(?![^(]*\))/);
  words.sort((a, b) => b.length - a.length);
  return { tag: line.slice(0, at), pattern: new RegExp(`(?:${words.join('|')})(?![\\p{L}\\p{N}])`, 'yu') };
});

const hanOrMark = /[\p{sc=Han}\p{Extended_Pictographic}]/u;
const word = /[\p{L}\p{N}][\p{L}\p{M}\p{N}'_-]*/uy;
const spaces = /[^\p{L}\p{N}\p{Extended_Pictographic}]+/uy;

/** Returns the words of a normalised text with their tags: at each place the longest word of the lexicon, otherwise one word or character. */
export function tagWords(text: string, maxWords: number): TaggedWord[] {
  const tagged: TaggedWord[] = [];
  let at = 0;
  while (at < text.length && tagged.length < maxWords) {
    spaces.lastIndex = at;
    const gap = spaces.exec(text);
    if (gap !== null) {
      at += gap[0].length;
      continue;
    }
    const found = longestEnglish(text, at) ?? longestHan(text, at) ?? unknownAt(text, at);
    tagged.push(found);
    at += found.text.length;
  }
  return tagged;
}

function longestHan(text: string, at: number): TaggedWord | undefined {
  for (let length = Math.min(longestChinese, text.length - at); length > 0; length--) {
    const candidate = text.slice(at, at + length);
    const tag = chinese.get(candidate);
    if (tag === undefined) continue;
    // "sb" is no part of "usb" or "sbin".
    const isLatin = /[a-z0-9]$/.test(candidate) && /^[a-z0-9]/.test(text.slice(at + length));
    if (!isLatin) return { tag, text: candidate };
  }
  return undefined;
}

function longestEnglish(text: string, at: number): TaggedWord | undefined {
  let longest: TaggedWord | undefined;
  for (const { tag, pattern } of english) {
    pattern.lastIndex = at;
    const match = pattern.exec(text)?.[0];
    if (match !== undefined && match.length > (longest?.text.length ?? 0)) longest = { tag, text: match };
  }
  return longest;
}

function unknownAt(text: string, at: number): TaggedWord {
  const first = String.fromCodePoint(text.codePointAt(at) ?? 0);
  if (hanOrMark.test(first)) return { tag: 'X', text: first };
  word.lastIndex = at;
  const found = word.exec(text)?.[0] ?? first;
  return { tag: /\d/.test(found) ? 'CODE' : 'X', text: found };
}
