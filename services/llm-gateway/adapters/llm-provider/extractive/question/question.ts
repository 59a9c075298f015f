import { conceptsOf } from '#kit/text/concepts/concepts.ts';
import { kindsOf, thingsIn } from '#kit/text/concepts/kinds.ts';
import { inFormalPhrases } from '#kit/text/concepts/phrasings.ts';
import { numbersToDigits } from '#kit/text/facts/number-words.ts';
import { foldTraditional } from '#kit/text/han-variants.ts';
import { normalizeText } from '#kit/text/normalize.ts';
import { CHINESE_STOP_CHARACTERS } from '#kit/text/stop-words.ts';
import { tokenize } from '#kit/text/tokenize.ts';
import { periodNamed } from '../passage/dates.ts';
import { type Head, headOf } from './classes.ts';
import { CHINESE_FRAME, ENGLISH_FRAME, ENGLISH_WEAK, KIND_WORDS, withoutForms } from './frames.ts';
import { type AnswerKind, kindAsked } from './kinds.ts';
import { type Shape, shapeOf } from './shapes.ts';
import { type MessagePart, splitMessage, withoutStory } from './split.ts';

/** The terms of a question, and the kind of answer that it needs. */
export interface Question {
  language: 'zh' | 'en';
  /** The clause that asks, as a name of the question. */
  text: string;
  /** The same in normal form. */
  plain: string;
  /** The thing that a comparison asks this of; `undefined`: nothing is compared. */
  compared: string | undefined;
  /** Each once, in order. */
  terms: readonly Term[];
  /** Everyday concepts of the question. */
  concepts: ReadonlySet<number>;
  /** The kind of answer that it needs; `undefined`: not known. */
  wants: AnswerKind | undefined;
  /** The shape of the value that it asks for; `undefined`: any may do. */
  shape: Shape | undefined;
  /** What form the answer needs beside a single quotation. */
  form: 'fact' | 'list' | 'outline';
  /** Other readings, if this one has no answer: in the customer's own words instead of those of documents; without the story before it. */
  otherwise: readonly (() => Question)[];
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
  /** It is made of adjacent characters that no dictionary joins: perhaps a word, perhaps not. */
  isGuess: boolean;
  /** Kinds of things to which it belongs: 灯具 for 台灯. */
  kinds: readonly number[];
  /** The noun that it specifies, if it is an English word directly before one: the lamp of "desk lamp". */
  head: Head | undefined;
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
  /双(?:10|11|12)|黑[5五]|黑色星期5|(?<!\d)618(?!\d)|(?<![a-z])(?:black friday|cyber monday|prime day)(?![a-z])/g;
/** A month, not a day of it: its day is a number. */
const monthHan = /(?<![\d.])(1[0-2]|[1-9]) ?月(?:份|底|初|中旬?)?(?! ?\d)/g;
/** How long a thing takes is no length: "How long does a repair take?", but "How long is the pool?" */
const howLong = /(?<![a-z])how long(?! (?:is|are|was|were)(?![a-z]))|(?<=期限?有?|时间有?)多长|多长时间/g;
/** The kind of answer shows what they ask for. */
const howMuch = /(?<![a-z])how (?:long|soon|often|many|much|far|old|big|high|tall|large|heavy)(?![a-z])/g;
/** Chinese verbs of one character that say what a question is about. */
export const VERBS: ReadonlySet<string> = new Set('退换修寄赔保借租订买卖取开充洗装拆');
const verbWeight = 0.7;

/** Bounds of a question: length in UTF-16 code units, and number of words. */
const maxLength = 2000;
const maxTerms = 64;

/** Weight of a term with little meaning: one character, a plain number, a word for the kind of answer. */
const partWeight = 0.4;
/** Weight of a name: an answer about another place or person does not answer the question. */
const nameWeight = 1.4;
const monthWeight = 0.6;
/** Factor of a term that is not in the clause that asks. */
const backgroundFactor = 0.5;
/** Weight of a concept whose words are all frame words: how much, 不要了. */
const conceptWeight = 0.4;

const wantsOutline =
  /介绍一?下|概述|总结|概括|说明一下|都有什么规定|(?:政策|规定|规则|条款|须知)(?:是什么|有哪些|是怎样的)?[？?。]?$|分别(?:干|做|是)什么|(?<![a-z])(?:summar|how do(?:es)? [a-z ]{2,40} work[?.]?$|overview|outline|instructions|tell me (?:all|everything) about|polic(?:y|ies)[?.]?$)/;
const wantsList =
  /哪些|有什么|都有|几种|哪几|列出|清单|资料|(?<![a-z])(?:list|which|what (?:are|do|does|colou?rs|values|options|exactly|else)|what's (?:in|included)|what is (?:in|included)|options)(?![a-z])/;

/** Reads the questions of a message. `language`: the language of the answer, if the caller knows it. */
export function readQuestions(text: string, language?: 'zh' | 'en'): Question[] {
  return splitMessage(text.slice(0, maxLength)).map((part) => {
    const otherwise: (() => Question)[] = [];
    if (toAsked(part.focus) !== toPlain(part.focus)) otherwise.push(() => readQuestion(part, language, toPlain));
    const bare = withoutStory(part);
    if (bare !== undefined && hasTopic(bare.focus)) otherwise.push(() => readQuestion(bare, language));
    return { ...readQuestion(part, language), otherwise };
  });
}

const hasTopic = (text: string): boolean => termsOf(text, true, toAsked).some(({ weight }) => weight > partWeight);

/** Reads one question. */
export function readQuestion(
  { focus, background, name }: MessagePart,
  language?: 'zh' | 'en',
  toWords: (text: string) => string = toAsked,
): Question {
  const plain = toWords(focus);
  const terms = new Map<string, Term>();
  const add = (text: string, isFocus: boolean) => {
    for (const term of termsOf(text, isFocus, toWords)) if (!terms.has(term.text)) terms.set(term.text, term);
  };
  add(focus, true);
  add(background, terms.size === 0);
  // The parts of a code add nothing to the code itself: 9087 and ppr of ppr9087.
  const codes = [...terms.values()].filter((term) => term.isExact).map((term) => term.text);
  for (const part of terms.keys()) {
    if (codes.some((code) => code !== part && code.includes(part))) terms.delete(part);
  }
  const wants = kindAsked(plain);
  return {
    // A question with codes and a Chinese particle is Chinese, whatever it mostly consists of.
    language: /\p{sc=Han}/u.test(focus) ? 'zh' : (language ?? 'en'),
    text: (name ?? focus).replace(/[，,；;\s]+$/u, '').trim(),
    plain,
    compared: name,
    otherwise: [],
    terms: [...terms.values()].slice(0, maxTerms),
    concepts: new Set(conceptsOf(plain).map(({ concept }) => concept)),
    wants,
    shape: shapeOf(plain),
    form: wantsOutline.test(plain) ? 'outline' : wants === 'steps' || wantsList.test(plain) ? 'list' : 'fact',
  };
}

/** Longest short question, in words and in Chinese characters, and the number of words that name what it is about. */
const maxBrief = { words: 9, characters: 12, topic: 2 };

/** Returns whether a question names a topic and no more: 运费多少钱, "How do I return something?" */
export function isBrief({ plain, terms }: Question): boolean {
  const topic = terms.filter(({ isFocus, weight }) => isFocus && weight >= 0.5);
  const length = plain.match(/\p{sc=Han}/gu)?.length ?? 0;
  const words = plain.match(/[a-z\d'-]+/g)?.length ?? 0;
  return (
    topic.length > 0 &&
    topic.length <= maxBrief.topic &&
    length <= maxBrief.characters &&
    words <= maxBrief.words &&
    !terms.some(({ text, isExact, isName, isFocus }) => !isFocus || isExact || isName || /\d/.test(text))
  );
}

/** Returns a question in the form in which questions and documents are compared, with the phrases of documents. */
const toAsked = (text: string): string => inFormalPhrases(toPlain(text));

/** The form in which questions and documents are compared. */
export function toPlain(text: string): string {
  return numbersToDigits(normalizeText(text, foldTraditional));
}

function termsOf(text: string, isFocus: boolean, toWords: (text: string) => string): Term[] {
  const plain = toWords(text);
  const factor = isFocus ? 1 : backgroundFactor;
  const complete = (term: BareTerm, run: number | undefined): Term => ({
    ...term,
    isFocus,
    weight: term.weight * factor,
    concepts: [],
    kinds: [],
    head: undefined,
    run,
  });
  const days = Array.from(plain.matchAll(saleDay), ([day]) => dayTerm(day));
  const months = Array.from(plain.matchAll(monthHan), ([, month]) => ({
    ...hanTerm(`${month}月`),
    weight: monthWeight,
  }));
  const rest = withoutForms(plain.replace(saleDay, ' ').replace(monthHan, ' '));
  const latin = latinTerms(rest, namesIn(text));
  const han = hanRuns(rest).flatMap((words, run) =>
    words.map(({ word, isGuess }) => complete(hanTerm(word, isGuess), isFocus ? run : run + maxTerms)),
  );
  const others = [...days, ...months, ...latin].map((term) => complete(term, undefined));
  return withHeads(withConcepts([...others, ...han], plain.replace(howLong, ' '), isFocus), rest).map(withKinds);
}

/**
 * Gives a term the kinds of the thing that it names, with the noun that it specifies. What the noun is by itself is no kind of the word
 * before it: "deliver" in "deliver pizza".
 */
function withKinds(term: Term): Term {
  if (term.isExact) return term;
  const { head } = term;
  if (head === undefined) return { ...term, kinds: [...kindsOf(term.text).ofThings] };
  const ofNoun = kindsOf(head.name.slice(head.name.lastIndexOf(' ') + 1)).ofThings;
  return { ...term, kinds: [...kindsOf(head.name).ofThings].filter((kind) => !ofNoun.has(kind)) };
}

const wordPair = /(?<![a-z-])(?=([a-z]{3,})[ -]([a-z]{3,})(?![a-z-]))/g;

/** Gives each English term the noun that it specifies, if it is directly before one. */
function withHeads(terms: readonly Term[], plain: string): Term[] {
  const heads = new Map<string, Head>();
  for (const [, first = '', second = ''] of latinOf(plain).matchAll(wordPair)) {
    const [modifier, noun] = [first, second].map((word) => tokenize(word, { mode: 'query' })[0]);
    if (modifier !== undefined && noun !== undefined) heads.set(modifier, headOf(`${first} ${second}`, noun));
  }
  return terms.map((term) => {
    // York is no kind of city.
    const head = term.isHan || term.isName ? undefined : heads.get(term.text);
    return head !== undefined && terms.some(({ text }) => text === head.token) ? { ...term, head } : term;
  });
}

type BareTerm = Pick<Term, 'text' | 'isHan' | 'isExact' | 'isName' | 'isGuess' | 'weight'>;

const dayTerm = (text: string): BareTerm => ({
  text,
  isHan: true,
  isExact: true,
  isName: true,
  isGuess: false,
  weight: nameWeight,
});

/** Latin words and codes, as the tokens of the keyword search. */
function latinTerms(plain: string, names: ReadonlySet<string>): BareTerm[] {
  const isChinese = /\p{sc=Han}/u.test(plain);
  return tokenize(latinOf(plain), { mode: 'query' }).flatMap((text): BareTerm | [] => {
    // "In May" is a month.
    if (isEmptyToken(text, isChinese) && !(text === 'mai' && names.has(text))) return [];
    const isNumber = /^\d+(?:\.\d+)?$/.test(text) && !year.test(text);
    const isExact = exact.test(text) || year.test(text);
    // What is said of no month is said of all.
    const isMonth = periodNamed(text) !== undefined;
    const isName = !isMonth && (isExact || names.has(text) || (isChinese && /^[a-z]{2,}$/.test(text)));
    const isSmall = isNumber || KIND_WORDS.has(text) || ENGLISH_WEAK.has(text);
    return {
      text,
      isHan: false,
      isExact,
      isName,
      isGuess: false,
      weight: isSmall ? partWeight : isName ? nameWeight : isMonth ? monthWeight : 1,
    };
  });
}

/** Returns whether a token is no term: a frame word, a letter, a quantity with its unit (its number is a term of its own). */
function isEmptyToken(token: string, isChinese: boolean): boolean {
  if (ENGLISH_FRAME.has(token) && !ENGLISH_WEAK.has(token)) return true;
  if (token.length === 1) return !/\d/.test(token) || (isChinese && token === '1');
  return quantity.test(token) && !/^\d+(?:\.\d+)?$/.test(token);
}

/** Returns a Chinese word as a term. */
export function hanTerm(word: string, isGuess = false): BareTerm {
  const isSmall = [...word].length === 1 || KIND_WORDS.has(word);
  const weight = VERBS.has(word) ? verbWeight : isSmall ? partWeight : 1;
  return { text: word, isHan: true, isExact: false, isName: false, isGuess, weight };
}

/** Gives each term the concepts whose words it is part of, and adds those that no term has. */
function withConcepts(terms: readonly Term[], plain: string, isFocus: boolean): Term[] {
  const all = terms.map((term) => ({ ...term, concepts: [...term.concepts] }));
  // 喝了酒 is 喝酒.
  const joined = plain.replace(/(?<=\p{sc=Han})[了过](?=\p{sc=Han})/gu, '');
  for (const { concept, word } of conceptsOf(`${plain}\n${joined}`)) {
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
      isGuess: false,
      isFocus,
      weight: conceptWeight,
      concepts: [concept],
      kinds: [],
      head: undefined,
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

/** Frame words of one character that are often a part of a word that the dictionary does not know: 次日达. */
const soft = new Set('次日天月年上下中后前内时家款位项份张件里号多大');

interface RunWord {
  word: string;
  isGuess: boolean;
}

/** Returns the words of a text. An everyday word that the dictionary cuts into characters is one word: 被套, 宽带, 包邮. */
function segmentsOf(plain: string): string[] {
  const words = conceptsOf(plain)
    .map(({ word }) => word)
    .concat(thingsIn(plain))
    .filter((word) => word.length > 1 && /^\p{sc=Han}+$/u.test(word) && !CHINESE_FRAME.has(word))
    .sort((a, b) => b.length - a.length);
  const segments = cutBefore(words, Array.from(segmenter.segment(plain)));
  const joined: string[] = [];
  for (let at = 0; at < segments.length; ) {
    const { index } = segments[at] as (typeof segments)[number];
    let end = at;
    while (segments[end]?.segment.length === 1) end++;
    const singles = plain.slice(index, index + end - at);
    const word = words.find((one) => singles.startsWith(one));
    joined.push(word ?? (segments[at]?.segment as string));
    at += word?.length ?? 1;
  }
  return joined;
}

/** Cuts a word of two characters if its second one and the next character are an everyday word: 开发|票 is 开|发|票. */
function cutBefore(words: readonly string[], segments: readonly { segment: string; index: number }[]) {
  return segments.flatMap(({ segment, index }, at) => {
    const next = segments[at + 1]?.segment ?? '';
    if (segment.length !== 2 || next.length !== 1 || !words.includes(`${segment[1]}${next}`))
      return [{ segment, index }];
    return Array.from(segment, (character, place) => ({ segment: character, index: index + place }));
  });
}

/**
 * Returns the Chinese words of a question, in runs between frame words. Adjacent single characters are words that the dictionary does not
 * know, usually of two characters: 退货质检 is 退货 and 质检.
 */
function hanRuns(plain: string): RunWord[][] {
  const runs: RunWord[][] = [];
  let words: RunWord[] = [];
  let singles = '';
  const flush = () => {
    for (let rest = [...singles]; rest.length > 0; ) {
      const word = rest.splice(0, rest.length === 3 ? 3 : 2).join('');
      words.push({ word, isGuess: word.length > 1 });
    }
    singles = '';
  };
  const endRun = () => {
    flush();
    if (words.some(({ word }) => !soft.has(word))) runs.push(words);
    words = [];
  };
  for (const segment of segmentsOf(plain)) {
    const isFrame = CHINESE_FRAME.has(segment) || CHINESE_STOP_CHARACTERS.has(segment);
    if (soft.has(segment)) {
      flush();
      words.push({ word: segment, isGuess: true });
    } else if (!/^\p{sc=Han}+$/u.test(segment) || isFrame) endRun();
    else if ([...segment].length === 1) singles += segment;
    else {
      flush();
      words.push({ word: segment, isGuess: false });
    }
  }
  endRun();
  return runs;
}

/** Returns the text without Han, and without hyphens between plain words: out-of-warranty matches by its words, LMP-S50 as a whole. */
function latinOf(plain: string): string {
  return plain
    .replace(/\p{sc=Han}+/gu, ' ')
    .replace(howMuch, ' ')
    .replace(/ work(?=[?.]?$)/, ' ')
    .replace(/(?<=[a-z])[-/](?=[a-z]+(?![a-z\d]))/g, ' ')
    .replace(
      /(?<=\d)-(?=(?:year|month|week|day|night|hour|minute|inch|star|door|seat|person|piece|pack)s?(?![a-z]))/g,
      ' ',
    );
}
