import { conceptsOf } from '#kit/text/concepts/concepts.ts';
import { kindsOf } from '#kit/text/concepts/kinds.ts';
import type { PassageText } from '../passage/passage-texts.ts';
import { matchTerm } from '../passage/search-text.ts';
import { CHINESE_FRAME, ENGLISH_FRAME } from '../question/frames.ts';
import { hanTerm, type Question, type Term } from '../question/question.ts';

/** Shortest words that are corrected, in characters. Shorter ones are often other words. */
const minLatin = 5;
const minHan = 3;
/** Shortest English word in which a wrong, missing or added letter is corrected, in letters of its stem. */
const minOtherLetter = 7;
/** Characters at the edges of a word that the evidence does not have, which only form a question: 能借 is 借. */
const edges =
  /^[能可要想我你您他她有是去来会在给把让被还再最不没得用和就都也很太个先这那一两请该才被]+|[的了吗呢吧过着到去来完掉好个些么没不得里上下]+$/gu;
/** Longest word that a run of Chinese is divided into, in characters. */
const maxWord = 8;

/**
 * Returns the question with its terms as the evidence writes them. Chinese is divided again, into the longest words that the evidence
 * has: 次日达加 is 次日达 and 加. A word that no passage has is replaced by one that differs in one character: a wrong, missing, added
 * or transposed one. Codes and names are never corrected: another code is another thing.
 */
export function fitTerms(question: Question, passages: readonly PassageText[]): Question {
  const texts = passages.flatMap(({ title, path, texts: units }) => [title, path, ...units]);
  const evidence = texts.map(({ plain }) => plain).join('\n');
  // A word specifies a noun only if a document has both together: otherwise it may be anything.
  const asked = question.terms.map((term) =>
    term.head !== undefined && !evidence.includes(term.head.phrase) ? { ...term, head: undefined } : term,
  );
  const terms = divideRuns(asked, evidence);
  let vocabulary: readonly string[] | undefined;
  const isKnown = (term: Term) =>
    (term.isHan && evidence.includes(term.text)) || texts.some((text) => matchTerm(term, text) >= 0.7);
  const corrected = terms.map((term): Term => {
    const length = [...term.text].length;
    if (term.isExact || /\d/.test(term.text) || length < (term.isHan ? minHan : minLatin) || isKnown(term)) return term;
    if (isEveryday(term.text)) return term;
    if (term.isHan) return { ...term, text: nearRun(term.text, evidence) ?? term.text };
    vocabulary ??= [...new Set(texts.flatMap(({ tokens }) => [...tokens]))].filter((token) =>
      /^[a-z]{4,}$/.test(token),
    );
    if (ENGLISH_FRAME.has(term.text)) return term;
    const found = vocabulary.find((token) => isMisspelling(term.text, token));
    return found === undefined ? term : { ...term, text: found, isName: false };
  });
  return { ...question, terms: corrected };
}

/** Divides each run of Chinese words again, into words that the evidence has; the rest stays as the dictionary divides it. */
function divideRuns(terms: readonly Term[], evidence: string): Term[] {
  const divided: Term[] = [];
  for (let at = 0; at < terms.length; ) {
    const first = terms[at] as Term;
    let end = at + 1;
    while (first.run !== undefined && terms[end]?.run === first.run) end++;
    const words = terms.slice(at, end);
    at = end;
    if (!first.isHan || first.run === undefined) divided.push(...words);
    else divided.push(...(areWords(words, evidence) ? words : divideRun(words, evidence)));
  }
  const joined = joinMisspelt(divided, evidence);
  const seen = new Set<string>();
  return joined.filter(({ text }) => !seen.has(text) && seen.add(text));
}

/** Joins a character that the evidence does not have with the word beside it, if both are a misspelt word of the evidence: 托影仪. */
function joinMisspelt(terms: readonly Term[], evidence: string): Term[] {
  const joined: Term[] = [];
  for (const term of terms) {
    const before = joined.at(-1);
    const isBeside = before !== undefined && term.run !== undefined && before.run === term.run;
    const [a, b] = [before?.text ?? '', term.text];
    const isLone =
      [a, b].some((text) => text.length === 1 && !evidence.includes(text) && !isConcept(text)) &&
      a.length + b.length === minHan;
    const found = isBeside && isLone ? nearRun(a + b, evidence) : undefined;
    if (found !== undefined && before !== undefined)
      joined[joined.length - 1] = { ...term, ...hanTerm(found), weight: term.isFocus ? 1 : 0.5 };
    else joined.push(term);
  }
  return joined;
}

function divideRun(words: readonly Term[], evidence: string): Term[] {
  const [first] = words as [Term];
  const characters = words.map(({ text }) => text).join('');
  const ends = new Map<number, Term>();
  let start = 0;
  for (const term of words) {
    ends.set(start, term);
    start += term.text.length;
  }
  // Best division of the characters up to each place, by the squares of the lengths of known words.
  const best: { score: number; words: { text: string; term: Term | undefined }[] }[] = [{ score: 0, words: [] }];
  for (let end = 1; end <= characters.length; end++) {
    let chosen: (typeof best)[number] = { score: -1, words: [] };
    for (let from = Math.max(0, end - maxWord); from < end; from++) {
      const before = best[from] as (typeof best)[number];
      const text = characters.slice(from, end);
      const own = ends.get(from)?.text === text ? ends.get(from) : undefined;
      const isKnown = text.length > 1 && evidence.includes(text);
      const isWord = own === undefined ? isEveryday(text) : !own.isGuess;
      const score = before.score + (isKnown ? text.length ** 2 : isWord ? 0.5 * text.length : 0.1);
      if ((isKnown || isWord || text.length === 1) && score > chosen.score) {
        chosen = { score, words: [...before.words, { text, term: own }] };
      }
    }
    best.push(chosen);
  }
  const factor = first.isFocus ? 1 : 0.5;
  return (best.at(-1)?.words ?? [])
    .filter(({ text }) => !CHINESE_FRAME.has(text))
    .map(({ text, term }) => {
      if (term !== undefined && evidence.includes(text)) return term;
      const bare = term === undefined ? text : text.replace(edges, '');
      if (term !== undefined && (bare === text || bare === '')) return term;
      const concepts = new Set(
        words
          .filter((word) => word.text.includes(text) || text.includes(word.text))
          .flatMap(({ concepts: named }) => named),
      );
      const fresh = hanTerm(bare);
      const kinds = [...kindsOf(bare).ofThings];
      return { ...first, ...fresh, weight: fresh.weight * factor, concepts: [...concepts], kinds };
    });
}

/** Returns whether a run is known words beside each other, one of them an everyday one: 取消订单, and 退货期限, which is not 退货期 and 限. */
const areWords = (words: readonly Term[], evidence: string): boolean =>
  words.every(({ text, isGuess }) => text.length > 1 && !isGuess && evidence.includes(text)) &&
  words.some(({ text }) => isEveryday(text));

/** Returns whether a text is one everyday word, which is no misspelt one: 手冲壶, "blanket". */
const isEveryday = (text: string): boolean => text.length > 1 && isConcept(text);

const isConcept = (text: string): boolean => conceptsOf(text).some(({ word }) => word === text);

/** Returns whether an English word may be another one, misspelt: two short words that differ in a letter are two words, string and spring. */
const isMisspelling = (word: string, other: string): boolean =>
  isOneEdit(word, other) &&
  (word.length >= minOtherLetter || isTransposed(word, other) || hasDoubled(word, other) || hasDoubled(other, word));

/** A stem may have lost its last letter: "cancle" is compared as "cancl". */
const isTransposed = (a: string, b: string): boolean =>
  [a, `${a}e`].some((word) => [...word].sort().join('') === [...b].sort().join(''));

/** Returns whether the longer word only doubles a letter of the other one. */
const hasDoubled = (longer: string, shorter: string): boolean =>
  longer.length === shorter.length + 1 && longer.replace(/(.)\1/g, '$1') === shorter.replace(/(.)\1/g, '$1');

/** Returns whether two words differ in one character, or in the order of two adjacent ones (optimal string alignment distance 1). */
export function isOneEdit(a: string, b: string): boolean {
  if (a === b || Math.abs(a.length - b.length) > 1) return false;
  let start = 0;
  while (start < a.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < Math.min(a.length, b.length) - start && a.at(-1 - end) === b.at(-1 - end)) end++;
  const left = a.slice(start, a.length - end);
  const right = b.slice(start, b.length - end);
  if (left.length <= 1 && right.length <= 1) return true;
  return left.length === 2 && right.length === 2 && left[0] === right[1] && left[1] === right[0];
}

const segmenter = new Intl.Segmenter('zh', { granularity: 'word' });

/** Characters that begin or end other words after a word: 快递半 is no misspelt 快递员. */
const afterWord = new Set('半一两几个多少上下里前后到没不在给和跟有要能会');

/** Returns whether three characters are a word and a character beside it, both of which are right: 写评价 is no misspelt 次评价. */
function isWordAndMore(word: string, plain: string): boolean {
  if (word.length !== minHan) return false;
  const isWord = (pair: string) =>
    plain.includes(pair) && (isEveryday(pair) || [...segmenter.segment(pair)].length === 1);
  return isWord(word.slice(1)) || (afterWord.has(word.at(-1) ?? '') && isWord(word.slice(0, 2)));
}

/** Returns a run of Han in a text that has all characters of a word but one, in its order. */
function nearRun(word: string, plain: string): string | undefined {
  if (isWordAndMore(word, plain)) return undefined;
  for (let at = 0; at + word.length <= plain.length; at++) {
    let differences = 0;
    for (let index = 0; index < word.length && differences <= 1; index++) {
      if (plain[at + index] !== word[index]) differences++;
    }
    if (differences !== 1) continue;
    const run = plain.slice(at, at + word.length);
    if (/^\p{sc=Han}+$/u.test(run)) return run;
  }
  return undefined;
}
