import { detectLanguage } from '#kit/text/language.ts';
import type { PastTurn } from '../answer/turn.ts';
import { distinct, leaningOnContext, subjectsOf } from './subjects.ts';
import { chineseActs, codesOf, topicsAndAspectsOf, topicsOf } from './topics.ts';
import { ENGLISH_ACTIONS } from './words.ts';

/** Longest question in UTF-16 code units; the limit of the contract. */
const maxLength = 4096;
/** Earlier questions that are read. */
const maxQuestions = 4;
/** Earlier turns whose words say what the conversation is about. */
const maxTurns = 12;
/** A question longer than this has its own subject, whatever its pronouns: English in words, Chinese in characters. */
const maxLeaningWords = 14;
const maxLeaningCharacters = 30;
/** Most words that a question takes from the one before it. */
const maxWords = 12;

/** A question as it can be searched for. */
export interface StandaloneQuestion {
  text: string;
  /** Whether it differs from what was asked. */
  isRewritten: boolean;
}

/**
 * Makes a follow-up standalone with the words of the questions before it (oldest first), without a model: "那换货呢？" after
 * "退货的条件是什么？" becomes "换货的条件是什么？", "How long does it take?" after "Can I get a refund?" becomes "How long does it
 * take? (refund)". A standalone question is returned unchanged.
 */
export function toStandalone(question: string, turns: readonly PastTurn[]): StandaloneQuestion {
  let before = '';
  // The question whose subject the last "and this one?" leaves open: the next one asks the same of another subject.
  let base = '';
  const heard: PastTurn[] = turns.slice(-maxTurns, -maxQuestions);
  for (const turn of turns.slice(-maxQuestions)) {
    const asked = rewrite(turn.question, { before, base }, heard);
    base = asked.base;
    // Another subject replaced the one before.
    if (asked.isSwapped) heard.length = 0;
    else heard.push(turn);
    before = asked.text.trim();
  }
  const { text } = rewrite(question, { before, base }, heard);
  return { text, isRewritten: text !== question };
}

interface Rewritten {
  text: string;
  /** Whether its subject replaced another one, and so the conversation is about this one. */
  isSwapped: boolean;
  /** The question that its subject was put into; empty if it names what is asked itself. */
  base: string;
}

function rewrite(
  question: string,
  { before, base }: { before: string; base: string },
  heard: readonly PastTurn[],
): Rewritten {
  const unchanged = { text: question, isSwapped: false, base: '' };
  if (before === '' || question.trim() === '') return unchanged;
  const isChinese = detectLanguage(question) === 'zh' || /\p{sc=Han}/u.test(question);
  const leaning =
    (isChinese ? leaningOfChinese(question) : leaningOfEnglish(question)) ?? leaningOnContext(question, heard);
  if (leaning === undefined) return unchanged;
  if (leaning.kind !== 'shift') {
    const text = append(question, before, leaning.kind, heard);
    return text.length <= maxLength ? { text, isSwapped: false, base: '' } : unchanged;
  }
  const asked = base || before;
  const swapped = swap(leaning.focus, asked);
  const text = swapped || append(question, asked, leaning.kind, heard);
  if (text.length > maxLength) return unchanged;
  return { text, isSwapped: swapped !== '', base: swapped === '' ? asked : '' };
}

/** How a question leans on the one before: to another subject, by a pronoun, or by leaving its subject out. */
type Leaning = { kind: 'shift'; focus: string } | { kind: 'reference' } | { kind: 'ellipsis' };

// English

const englishWord = /[\p{L}\p{N}][\p{L}\p{N}'’-]*/gu;
const englishOpener =
  /^(?:(?:and|but|so|then|or|ok|okay|well)\b[\s,]*)*(?:(?:what|how) (?:about|if)\b|same (?:for|with)\b)/i;
const englishJoiner = /^(?:and|but|or|then|so)\b[\s,]*(?:then\b)?/i;
/** Pronouns that refer to something said before. */
const englishPronoun = new RegExp(
  [
    /\b(?:it|its|they|them|their|theirs|he|she|him|his|her|hers)\b/,
    /\bthe (?:former|latter)\b|\bthe same(?=\s*(?:[?.!,]|$|appl|for|thing|true|rule|way))/,
    // "this lamp", but not "this week"; "is this free", but not "is this a week".
    /(?<!only |all |some )\b(?:this|these|those)\b(?! (?:week|month|year|time|morning|evening|weekend|site|website|page|shop|store|app|company|service|document)\b)/,
    // "about that", but not "the lamp that is broken".
    /(?:\b(?:about|for|of|with|like|after|before|do|does|is|was|did|than) |^)that\b(?! \w+ (?:is|are|have|has)\b)/,
    /\b(?:above|previous|last|your) (?:answer|reply|question)\b/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'i',
);
/** "Is it possible to …", "how long does it take to …": the pronoun refers to what follows. */
const englishExpletive = new RegExp(
  [
    /\b(?:is|was|would|will) it (?:\w+ ){1,3}(?:to|that|if|when|for)\b/,
    /\bit(?:'s| is| was| would be| will be)? (?:\w+ )?(?:possible|ok|okay|allowed|safe|legal|necessary|required|better|worth|easy|hard|take|takes|cost|costs|mean) .*(?:to|that|if|when|for)\b/,
    /\bmake it (?:so|possible|easier)\b|\bwhen it comes to\b/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'i',
);

/** "did they", "of it", "in their": what precedes in the same clause is no antecedent. "he" and "her" are persons, whom no product is. */
const englishSubject =
  /^[^,;]*\b(?:did|does|do|is|are|was|were|can|could|will|would|should|has|have|had) (?:it|they|he|she)\b|^[^,;]*\b(?:than|to) (?:it|them|him)\b[^,;]*[?.]?$|^[^,;]*\b(?:of|in|on|for|about|with|from|by) (?:it|its|them|their|his|her|him)\b(?! \w+ (?:is|are)\b)/i;

function leaningOfEnglish(question: string): Leaning | undefined {
  const plain = question.trim();
  const opener = englishOpener.exec(plain) ?? (wordsOf(plain).length <= 8 ? englishJoiner.exec(plain) : null);
  if (opener !== null) return { kind: 'shift', focus: plain.slice(opener[0].length) };
  const pronoun = wordsOf(plain).length > maxLeaningWords ? null : englishPronoun.exec(plain);
  const refers = pronoun !== null && (englishSubject.test(plain) || !namesSomething(plain.slice(0, pronoun.index)));
  if (refers && !englishExpletive.test(plain)) {
    return { kind: 'reference' };
  }
  return topicsOf(plain).length === 0 ? { kind: 'ellipsis' } : undefined;
}

// Returns whether the words before a pronoun name what it may refer to: "if my order is late, can I cancel it?".
function namesSomething(text: string): boolean {
  if (codesOf(text).length > 0 || /\b[A-Z]{2,}\b|\s[A-Z]\w/.test(text)) return true;
  const topics = topicsOf(text);
  const nouns = topics.filter((word) => !ENGLISH_ACTIONS.has(word.toLowerCase()));
  const determined = /\b(?:the|a|an|my|your|our|each|every|any|some|both)\s+(?:(\p{L}+)\s+)?(\p{L}{2,})/giu;
  const isNamed = [...text.matchAll(determined)].some(([, ...named]) =>
    named.some((word) => topics.includes(word ?? '')),
  );
  return isNamed || nouns.length >= 2 || (nouns.length === 1 && /[,;.?!]\s*\S/.test(text));
}

const wordsOf = (text: string): string[] => text.toLowerCase().match(englishWord) ?? [];

// Chinese

const chineseOpener = /^(?:那么?(?!曲|不勒斯|坡|拉提|英|些|里|边)|还有|要是|如果是?(?=.{1,12}呢))[，,\s]*/u;
const chineseQuestionWord =
  /怎么|如何|怎样|什么|多久|多长|多少|几|哪|谁|[吗嘛]|是否|能否|可否|有没有|是不是|能不能|咋/u;
const chineseClosing = /(?:呢|(?<=^.{1,4})怎么样|也一样吗?|也是吗?|也行吗?|也可以吗?|也能吗?|也支持吗?)[\s?？!！。]*$/u;
const chinesePronoun =
  /(?<![其吉])(?:它们?|[他她]们|[他她](?![人行国乡日]))|(?:这|那)(?:个|些|种|款|样|项|件|家)(?!月|星期|季|周|年|小时|地方|方面|原因|时候)|该(?:商品|产品|型号|订单|活动|服务|套餐|功能)|上述|前者|后者|(?:上面|刚才|刚刚|之前)(?:说|提|讲|的)|^[这那](?=要|能|可|会|是|算|有|怎|多|还)/u;

/** "不是这个，我问的是落地灯": another subject than the one that was understood. */
const chineseCorrection =
  /^\s*(?:不是|不对|错了)[^，,。]{0,4}[，,。]?\s*我?(?:问|说|要|指)的是([^，,。？?]{1,12})[。？?]?\s*$/u;
/** "过期了还能恢复吗", "要交税吗": what happens to something that was named before. */
const chineseBarePredicate =
  /^(?:(?:过期|丢|弄丢|坏|用完|超时|拆开?|签收)了(?=[，,还能怎要可吗])|(?:要|会|还能|还要|还可以)[^，,。]{1,4}[吗么]?[？?]?$)/u;

function leaningOfChinese(question: string): Leaning | undefined {
  const corrected = chineseCorrection.exec(question)?.[1];
  if (corrected !== undefined) return { kind: 'shift', focus: corrected };
  const plain = question.trim();
  const opener = chineseOpener.exec(plain)?.[0] ?? '';
  const rest = plain.slice(opener.length);
  const closing = chineseClosing.exec(rest);
  const named = closing === null ? '' : rest.slice(0, closing.index);
  const isNamedOnly = named !== '' && named.length <= 12 && !chineseQuestionWord.test(named);
  if (isNamedOnly && !chinesePronoun.test(plain)) return { kind: 'shift', focus: named };
  if (opener.startsWith('那') || opener === '要是') return { kind: 'reference' };
  const pronoun = plain.length > maxLeaningCharacters ? null : chinesePronoun.exec(plain);
  if (pronoun !== null && !namesBefore(plain.slice(0, pronoun.index))) return { kind: 'reference' };
  // One character is what is asked, as in "能退吗", and no subject.
  const isBare = topicsOf(plain).join('').length <= 1 || chineseBarePredicate.test(plain);
  return isBare ? { kind: 'ellipsis' } : undefined;
}

// Returns whether the words before a pronoun name what it may refer to: "我买的台灯坏了，它能保修吗".
function namesBefore(text: string): boolean {
  const topics = topicsOf(text.replace(chineseActs, ' ')).join('');
  return /[，,。；;？?]/u.test(text) ? topics.length >= 2 : topics.length >= 4;
}

const shapeOf = (code: string): string => code.replaceAll(/\p{L}/gu, 'A').replaceAll(/\d/gu, '0');

/** Returns the question before with its subject replaced by `focus`, if it is clear which words those are; otherwise ''. */
function swap(focus: string, before: string): string {
  const codes = codesOf(focus);
  const others = topicsOf(focus).filter((word) => !codes.includes(word));
  const replacedAll = codesOf(before);
  // "E-04" replaces "E-07", and not the model beside it.
  const isAlike = (code: string) => shapeOf(code) === shapeOf(codes[0] ?? '');
  const replaced = replacedAll.findLast(isAlike) ?? (replacedAll.length === 1 ? replacedAll[0] : undefined);
  const [onlyCode] = codes;
  if (onlyCode !== undefined && codes.length === 1 && others.length === 0 && replaced !== undefined) {
    return replaced.toLowerCase() === onlyCode.toLowerCase() ? '' : before.replace(replaced, onlyCode);
  }
  const [subject] = others;
  if (subject === undefined || others.length > 1 || codes.length > 0 || !/^\p{sc=Han}+$/u.test(subject)) return '';
  for (const run of topicsOf(before)) {
    const isAlike = Math.abs(run.length - subject.length) <= (run.length <= 4 ? 1 : 0) && !run.includes(subject);
    const found = isAlike && run.at(-1) === subject.at(-1) ? run : withSuffixOf(subject, run);
    if (found !== undefined && found.at(-1) === subject.at(-1)) return before.replace(found, subject);
  }
  return '';
}

// Returns the beginning of `run` that ends as `subject` does, in at least two characters: "会员" of "会员退货运费" for "非会员".
function withSuffixOf(subject: string, run: string): string | undefined {
  if (run.includes(subject)) return undefined;
  for (let length = Math.min(subject.length, run.length); length >= 2; length--) {
    const end = run.indexOf(subject.slice(-length)) + length;
    if (end >= length && end <= subject.length) return run.slice(0, end);
  }
  return undefined;
}

/** Returns the question with the words that it depends on, in brackets. */
function append(question: string, before: string, kind: Leaning['kind'], heard: readonly PastTurn[]): string {
  const topics = topicsOf(bare(before));
  // A new subject lacks what was asked about it; a question without a subject lacks the subject.
  const isShift = kind === 'shift' || topics.length === 0;
  const taken = isShift ? topicsAndAspectsOf(bare(before)) : [...subjectsOf(heard), ...topics];
  const said = question.toLowerCase();
  const news = distinct(taken)
    .filter((word) => !said.includes(word.toLowerCase()))
    .slice(0, maxWords);
  if (news.length === 0) return question;
  const joined = news.join(' ');
  const asked = question.trim();
  return /\p{sc=Han}/u.test(question) ? `${asked}（${joined}）` : `${asked} (${joined})`;
}

// A question that was made standalone has what it took in brackets; the brackets of another are its own.
const bare = (text: string): string => text.replace(/[（(]([^（()）]*)[)）]$/u, ' $1');
