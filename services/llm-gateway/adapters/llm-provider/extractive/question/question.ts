import { conceptsOf } from '#kit/text/concepts/concepts.ts';
import { numbersToDigits } from '#kit/text/facts/number-words.ts';
import { foldTraditional } from '#kit/text/han-variants.ts';
import { normalizeText } from '#kit/text/normalize.ts';
import { CHINESE_STOP_CHARACTERS } from '#kit/text/stop-words.ts';
import { tokenize } from '#kit/text/tokenize.ts';
import { CHINESE_FRAME, ENGLISH_FRAME, ENGLISH_WEAK, KIND_WORDS } from './frames.ts';
import { type AnswerKind, kindAsked } from './kinds.ts';
import { type MessagePart, splitMessage } from './split.ts';

/** The terms of a question, and the kind of answer that it needs. */
export interface Question {
  language: 'zh' | 'en';
  /** The clause that asks, as a name of the question. */
  text: string;
  /** The same in normal form. */
  plain: string;
  /** Each once, in order. */
  terms: readonly Term[];
  /** Everyday concepts of the question. */
  concepts: ReadonlySet<number>;
  /** The kind of answer that it needs; `undefined`: not known. */
  wants: AnswerKind | undefined;
  /** What form the answer needs beside a single quotation. */
  form: 'fact' | 'list' | 'outline';
}

/** A word of a question that an answer must be about. */
export interface Term {
  /** Normalised; a Latin word as its stem. */
  text: string;
  /** A Chinese word, which matches inside a text; all other terms match tokens. */
  isHan: boolean;
  /** A code (PPR-9087) or a year: an answer about another one does not answer the question. */
  isExact: boolean;
  /** It names something: a code, a capitalised word inside a sentence, a Latin word in a Chinese question. */
  isName: boolean;
  /** It belongs to the clause that asks. Terms beside it only help to choose. */
  isFocus: boolean;
  /** Weight of the term beside its rarity, 0 to 1.4. */
  weight: number;
  /** Everyday concepts that it names. */
  concepts: readonly number[];
  /** The run of Chinese words that it belongs to, which may be divided in another way; `undefined`: it is no Chinese word. */
  run: number | undefined;
}

const segmenter = new Intl.Segmenter('zh', { granularity: 'word' });
const exact = /^(?=.*\d)(?=.*[a-z])[a-z0-9.-]+$/;
/** 65w, 180cm: a quantity, with or without a space. */
const quantity =
  /^\d+(?:\.\d+)?(?:w|kw|v|a|g|kg|mg|mm|cm|m|km|l|ml|mah|ah|wh|kwh|gb|mb|tb|kb|kpa|pa|h|s|ms|min|hz|khz|mhz|ghz|k|d|db|rpm|x|st|nd|rd|th|°c|℃|yuan|元|.*\p{sc=Han}.*)$/u;
const year = /^(?:19|20)\d\d$/;
/** Days of sales, which are names although they look like numbers. */
const saleDay =
  /双(?:10|11|12)|黑5|黑色星期5|(?<!\d)618(?!\d)|(?<![a-z])(?:black friday|cyber monday|prime day)(?![a-z])/g;
/** Chinese verbs of one character that say what a question is about. */
const verbs = new Set('退换修寄赔保借租订买卖取开充洗装拆');
const verbWeight = 0.7;

/** Bounds of a question: length in UTF-16 code units, and number of words. */
const maxLength = 2000;
const maxTerms = 64;

/** Weight of a term with little meaning: one character, a plain number, a word for the kind of answer. */
const partWeight = 0.4;
/** Weight of a name: an answer about another place or person does not answer the question. */
const nameWeight = 1.4;
/** Factor of a term that is not in the clause that asks. */
const backgroundFactor = 0.5;
/** Weight of a concept whose words are all frame words: how much, 不要了. */
const conceptWeight = 0.4;

const wantsOutline =
  /介绍一?下|概述|总结|概括|说明一下|都有什么规定|分别(?:干|做|是)什么|(?<![a-z])(?:summar|overview|outline|instructions|tell me (?:all|everything) about)/;
const wantsList =
  /哪些|有什么|都有|几种|哪几|列出|清单|资料|(?<![a-z])(?:list|which|what (?:are|do|does|colou?rs|values|options|exactly|else)|what's (?:in|included)|what is (?:in|included)|options)(?![a-z])/;

/** Reads the questions of a message. `language`: the language of the answer, if the caller knows it. */
export function readQuestions(text: string, language?: 'zh' | 'en'): Question[] {
  return splitMessage(text.slice(0, maxLength)).map((part) => readQuestion(part, language));
}

/** Reads one question. */
export function readQuestion({ focus, background, name }: MessagePart, language?: 'zh' | 'en'): Question {
  const plain = toPlain(focus);
  const terms = new Map<string, Term>();
  const add = (text: string, isFocus: boolean) => {
    for (const term of termsOf(text, isFocus)) if (!terms.has(term.text)) terms.set(term.text, term);
  };
  add(focus, true);
  add(background, terms.size === 0);
  // The parts of a code add nothing to the code itself: 9087 and ppr of ppr9087.
  const codes = [...terms.values()].filter((term) => term.isExact).map((term) => term.text);
  for (const part of terms.keys()) {
    if (codes.some((code) => code !== part && code.includes(part))) terms.delete(part);
  }
  const isSteps = kindAsked(plain) === 'steps';
  return {
    // A question with codes and a Chinese particle is Chinese, whatever it mostly consists of.
    language: /\p{sc=Han}/u.test(focus) ? 'zh' : (language ?? 'en'),
    text: (name ?? focus).replace(/[，,；;\s]+$/u, '').trim(),
    plain,
    terms: [...terms.values()].slice(0, maxTerms),
    concepts: new Set(conceptsOf(plain).map(({ concept }) => concept)),
    wants: kindAsked(plain),
    form: wantsOutline.test(plain) ? 'outline' : isSteps || wantsList.test(plain) ? 'list' : 'fact',
  };
}

/** The form in which questions and documents are compared. */
export function toPlain(text: string): string {
  return numbersToDigits(normalizeText(text, foldTraditional));
}

function termsOf(text: string, isFocus: boolean): Term[] {
  const plain = toPlain(text);
  const factor = isFocus ? 1 : backgroundFactor;
  const complete = (term: BareTerm, run: number | undefined): Term => ({
    ...term,
    isFocus,
    weight: term.weight * factor,
    concepts: [],
    run,
  });
  const days = Array.from(plain.matchAll(saleDay), ([day]) => dayTerm(day));
  const rest = plain.replace(saleDay, ' ');
  const latin = latinTerms(rest, namesIn(text));
  const han = hanRuns(rest).flatMap((words, run) =>
    words.map((word) => complete(hanTerm(word), isFocus ? run : run + maxTerms)),
  );
  const others = [...days, ...latin].map((term) => complete(term, undefined));
  return withConcepts([...others, ...han], plain, isFocus);
}

type BareTerm = Pick<Term, 'text' | 'isHan' | 'isExact' | 'isName' | 'weight'>;

const dayTerm = (text: string): BareTerm => ({ text, isHan: true, isExact: true, isName: true, weight: nameWeight });

/** Latin words and codes, as the tokens of the keyword search. */
function latinTerms(plain: string, names: ReadonlySet<string>): BareTerm[] {
  const isChinese = /\p{sc=Han}/u.test(plain);
  return tokenize(latinOf(plain), { mode: 'query' }).flatMap((text): BareTerm | [] => {
    if (isEmptyToken(text, isChinese)) return [];
    const isNumber = /^\d+(?:\.\d+)?$/.test(text) && !year.test(text);
    const isExact = exact.test(text) || year.test(text);
    const isName = isExact || names.has(text) || (isChinese && /^[a-z]{2,}$/.test(text));
    const isSmall = isNumber || KIND_WORDS.has(text) || ENGLISH_WEAK.has(text);
    return { text, isHan: false, isExact, isName, weight: isSmall ? partWeight : isName ? nameWeight : 1 };
  });
}

/** Returns whether a token is no term: a frame word, a letter, a quantity with its unit (its number is a term of its own). */
function isEmptyToken(token: string, isChinese: boolean): boolean {
  if (ENGLISH_FRAME.has(token) && !ENGLISH_WEAK.has(token)) return true;
  if (token.length === 1) return !/\d/.test(token) || (isChinese && token === '1');
  return quantity.test(token) && !/^\d+(?:\.\d+)?$/.test(token);
}

/** Returns a Chinese word as a term. */
export function hanTerm(word: string): BareTerm {
  const isSmall = [...word].length === 1 || KIND_WORDS.has(word);
  const weight = verbs.has(word) ? verbWeight : isSmall ? partWeight : 1;
  return { text: word, isHan: true, isExact: false, isName: false, weight };
}

/** Gives each term the concepts whose words it is part of, and adds those that no term has. */
function withConcepts(terms: readonly Term[], plain: string, isFocus: boolean): Term[] {
  const all = terms.map((term) => ({ ...term, concepts: [...term.concepts] }));
  for (const { concept, word } of conceptsOf(plain)) {
    const parts = /\p{sc=Han}/u.test(word) ? [word] : word.split(' ');
    const holders = all.filter(({ text, isHan }) =>
      parts.some((part) => part === text || (isHan && part.includes(text)) || (part.length > 1 && text.includes(part))),
    );
    for (const holder of holders) if (!holder.concepts.includes(concept)) holder.concepts.push(concept);
    if (holders.length > 0 || !isFocus || word.length < 2) continue;
    all.push({
      text: word,
      isHan: /\p{sc=Han}/u.test(word),
      isExact: false,
      isName: false,
      isFocus,
      weight: conceptWeight,
      concepts: [concept],
      run: undefined,
    });
  }
  return all;
}

/** Returns the stems of the capitalized words inside a sentence. */
function namesIn(text: string): ReadonlySet<string> {
  const capitals = text.match(/(?<=[\p{Ll}\d,;:"'’)]\s)\p{Lu}[\p{L}\d]+/gu) ?? [];
  return new Set(tokenize(capitals.join(' '), { mode: 'query' }));
}

/**
 * Returns the Chinese words of a question, in runs between frame words. Adjacent single characters are words that the dictionary does not
 * know, usually of two characters: 退货质检 is 退货 and 质检.
 */
function hanRuns(plain: string): string[][] {
  const runs: string[][] = [];
  let words: string[] = [];
  let singles = '';
  const flush = () => {
    for (let rest = [...singles]; rest.length > 0; ) words.push(rest.splice(0, rest.length === 3 ? 3 : 2).join(''));
    singles = '';
  };
  for (const { segment } of segmenter.segment(plain)) {
    const isFrame = CHINESE_FRAME.has(segment) || CHINESE_STOP_CHARACTERS.has(segment);
    if (!/^\p{sc=Han}+$/u.test(segment) || isFrame) {
      flush();
      if (words.length > 0) runs.push(words);
      words = [];
    } else if ([...segment].length === 1) singles += segment;
    else {
      flush();
      words.push(segment);
    }
  }
  flush();
  if (words.length > 0) runs.push(words);
  return runs;
}

/** Returns the text without Han, and without hyphens between plain words: out-of-warranty matches by its words. */
function latinOf(plain: string): string {
  return plain.replace(/\p{sc=Han}+/gu, ' ').replace(/(?<=[a-z])[-/](?=[a-z])/g, ' ');
}
