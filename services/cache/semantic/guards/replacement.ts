import type { Question } from '../question.ts';
import { withoutFillers } from './content.ts';
import { sidesOf } from './polarity.ts';

/**
 * Words in which pairs of the calibration differ, and whether those pairs mostly have the same meaning: questions may differ in such a word. Words of
 * fewer pairs are left out: they are not known.
 */
export type KnownWords = ReadonlyMap<string, boolean>;

/** Pairs that must differ in a word before it is known. */
const leastPairs = 5;

// Chinese has no spaces between words; whole words are compared, because single characters are everywhere.
const segmenter = new Intl.Segmenter('zh', { granularity: 'word' });

function wordsOf({ text, language, content }: Question): string[] {
  if (language !== 'zh') return content.filter((atom) => !atom.startsWith('#'));
  const segments = [...segmenter.segment(withoutFillers(text))];
  // Guards of their own compare numbers.
  return segments.flatMap(({ segment, isWordLike }) => (isWordLike && !/^\p{N}+$/u.test(segment) ? [segment] : []));
}

/** Returns the words of each question that the other one lacks, or has fewer times. */
export function unsharedWordsOf(first: Question, second: Question): [first: string[], second: string[]] {
  const [a, b] = [wordsOf(first), wordsOf(second)];
  return [a.filter(lacking(b, first.language)), b.filter(lacking(a, first.language))];
}

/** Returns whether words lack the next occurrence of a word. Chinese ones have it in a longer one too: 微粒贷款 has 贷款. */
function lacking(words: readonly string[], language: Question['language']): (word: string) => boolean {
  const text = words.join('');
  const left = new Map<string, number>();
  const countOf = (word: string) =>
    language === 'zh' ? text.split(word).length - 1 : words.filter((other) => other === word).length;
  return (word) => {
    const count = left.get(word) ?? countOf(word);
    left.set(word, count - 1);
    return count <= 0;
  };
}

/** Returns the words in which pairs differ. */
export function learnWords(pairs: readonly { unshared: readonly string[]; isSame: boolean }[]): KnownWords {
  const counts = new Map<string, { same: number; all: number }>();
  for (const { unshared, isSame } of pairs) {
    for (const word of new Set(unshared)) {
      const count = counts.get(word) ?? { same: 0, all: 0 };
      count.all++;
      if (isSame) count.same++;
      counts.set(word, count);
    }
  }
  const known = [...counts].filter(([, { all }]) => all >= leastPairs);
  return new Map(known.map(([word, { same, all }]) => [word, same * 2 >= all]));
}

/**
 * Reports whether words of one question are in the place of words of the other, and the calibration does not show that this is the same: each side
 * has a word in which questions may not differ, or one side has an unknown word (another name) in the place of any. Opposites always count.
 */
export function isReplaced(first: Question, second: Question, known: KnownWords): boolean {
  const [a, b] = unsharedWordsOf(first, second);
  if (a.length === 0 || b.length === 0) return false;
  if (isOpposite(a, b)) return true;
  const matters = (word: string) => known.get(word) !== true;
  const isUnknown = (word: string) => !known.has(word);
  return (a.some(matters) && b.some(matters)) || a.some(isUnknown) || b.some(isUnknown);
}

/** 关闭了还能开通吗 and 开通了还能开通吗: the guard on opposites passes questions that have both. */
function isOpposite(first: readonly string[], second: readonly string[]): boolean {
  const [a, b] = [sidesOf(first.join(' ')), sidesOf(second.join(' '))];
  return a.some((side, index) => [side, b[index]].sort().join() === '1,2');
}
