import { type ConceptWord, conceptsOf } from '#kit/text/concepts/concepts.ts';
import { kindsOf } from '#kit/text/concepts/kinds.ts';
import { tokenize } from '#kit/text/tokenize.ts';
import { classPattern } from '../question/classes.ts';
import { type Term, toPlain, VERBS } from '../question/question.ts';
import { hasPeriod, periodNamed } from './dates.ts';

/** A text that is prepared for matching. */
export interface SearchText {
  plain: string;
  tokens: ReadonlySet<string>;
  /** Everyday concepts that it names with a word of at least two characters. */
  concepts: ReadonlySet<number>;
  /** The Chinese words of at least two characters that name them. */
  words: readonly ConceptWord[];
  /** Kinds of things that it names: 灯具. */
  kinds: ReadonlySet<number>;
}

/** "Saturday: 10:00 – 15:00" has opening hours without these words. */
const weeklyHours =
  /^[^.。]{0,30}(?:(?:mon|tues|wednes|thurs|fri|satur|sun)days?|weekdays?|weekends?|daily|every day|holidays?|周[一二三四五六日末]|星期[一二三四五六日天]|每[天日]|工作日|节假日)[^.。]{0,30}\d{1,2}[:.]\d{2} ?(?:[-–—~至到]|to|until) ?\d{1,2}[:.]\d{2}/;
const hoursConcepts = conceptsOf('营业时间').map(({ concept }) => concept);

/** Prepares a text for matching. */
export function toSearchText(text: string): SearchText {
  const plain = toPlain(text);
  const concepts = conceptsOf(plain).filter(({ word }) => word.length > 1);
  return {
    plain,
    tokens: new Set(tokenize(plain, { mode: 'index' })),
    concepts: new Set([...concepts.map(({ concept }) => concept), ...(weeklyHours.test(plain) ? hoursConcepts : [])]),
    words: concepts.filter(({ word }) => /\p{sc=Han}/u.test(word)),
    kinds: kindsOf(plain).named,
  };
}

/** Score of a longer Chinese word of which only parts match, for each part. */
const partCredit = 0.8;
/** Score of another word for the same everyday concept. */
const conceptCredit = 0.75;

/** Score of the kind of thing that a word names: lamps for a desk lamp, 灯具 for 台灯. */
const classCredit = 0.9;
/** Score of the verb of a Chinese word of two characters: 退 of 退货. */
const verbCredit = 0.5;

/**
 * Returns how well a text matches a term, 0 to 1. Between them: a part of a Chinese word, another word for the same concept, the kind of
 * thing that it names.
 */
export function matchTerm(term: Term, searched: SearchText): number {
  const { text, isHan, concepts } = term;
  const { plain, tokens, concepts: named } = searched;
  if (
    isHan
      ? includesWord(term, searched)
      : tokens.has(text) || (plainNumber.test(text) && isInRange(Number(text), plain))
  ) {
    return 1;
  }
  const period = periodNamed(text);
  if (period !== undefined && hasPeriod(plain, period)) return 1;
  const byConcept = concepts.some((concept) => named.has(concept)) ? conceptCredit : 0;
  const byKind = term.kinds.some((kind) => searched.kinds.has(kind)) ? classCredit : 0;
  return Math.max(byConcept, byKind, isHan ? matchHan(term, plain) : matchHead(term, searched));
}

/**
 * Returns whether a text has a Chinese word. One character must be outside of everyday words for other matters: 坏 is not in 坏点. A verb
 * may be inside of them: 退 of 退还.
 */
function includesWord({ text, concepts }: Term, { plain, words }: SearchText): boolean {
  if (!plain.includes(text)) return false;
  if (text.length > 1 || concepts.length === 0 || VERBS.has(text)) return true;
  let rest = plain;
  for (const { word, concept } of words) {
    if (word.includes(text) && !concepts.includes(concept)) rest = rest.replaceAll(word, ' ');
  }
  return rest.includes(text);
}

function matchHead({ head }: Term, { plain, tokens }: SearchText): number {
  return head !== undefined && tokens.has(head.token) && head.pattern.test(plain) ? classCredit : 0;
}

function matchHan({ text, isExact }: Term, plain: string): number {
  if (isExact) return 0;
  const characters = [...text];
  const [first = ''] = characters;
  if (characters.length < 2 || !plain.includes(characters.at(-1) ?? '')) {
    return characters.length === 2 && VERBS.has(first) && plain.includes(first) ? verbCredit : 0;
  }
  if (classPattern(text)?.test(plain) === true) return classCredit;
  if (characters.length === 2) return VERBS.has(first) && plain.includes(first) ? verbCredit : 0;
  let found = 0;
  for (let index = 1; index < characters.length; index++) {
    if (plain.includes(`${characters[index - 1]}${characters[index]}`)) found += 1;
  }
  return (partCredit * found) / (characters.length - 1);
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
