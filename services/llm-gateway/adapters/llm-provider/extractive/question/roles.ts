import { tokenize } from '#kit/text/tokenize.ts';
import { type Question, type Term, VERBS } from './question.ts';

/** Single characters that are verbs, adjectives or particles: without them a question may be answered in other words. */
const looseHan = new Set(
  '砌隔折算调写块钱里扣瓶租扔嫌坏管慢往花出进吃喝玩看听说走跑飞坐开关放拿送给收付交补扣减加改查找换退赔保修装拆洗充借还买卖取订定选算办领用穿戴带抽涨降升转存留过到差少多高低大小长短快早晚新旧好差贵冷热干湿轻重远近深浅厚薄满空全半活死封解绑刷点碰掉摔破断漏响亮没无能会要想肯敢得该须让叫使令请求怕爱恨被把将从向对于与和跟同及或的地了着吗呢啊吧嘛呀哦哪几啥咋谁何怎么什样般',
);
const nounBefore =
  /^(?:the|a|an|my|your|our|their|his|her|its|any|some|no|this|that|these|those|of|for|with|about|which|what|many|much|against|without|per|on|from|by|in|and|or|another|other)$/;
const verbBefore =
  /^(?:to|i|you|we|they|he|she|it|can|could|will|would|do|does|did|don't|not|should|must|may|might|get|be|being|is|are|was|were|am|has|have|had|been|please|how|who|why|just|still|always|ever|never)$/;
const hanVerbBefore = /[能会要想可怎不没被去来让给得先再还]$/u;
/** What follows the name of a thing whose value is asked for, and the verbs that may be between: 杯刷多少钱, but 卖多少钱. */
const hanValueAfter = /^(?:的?(?:价格|价钱|售价)|多少钱|什么价|几块)/;
const valueVerbs = new Set('卖要收花补赔扣交付退给抵买减涨租修换寄洗得算是');

/** What a term is in the clause that asks. */
export interface Role {
  kind: 'noun' | 'verb';
  /** The term directly after it in the same phrase, by its place. */
  next: number | undefined;
  /** "X of …", …的 X: the aspect that is asked for. */
  isOf: boolean;
  /** A Chinese term directly before or after it. */
  isBeside: boolean;
  /** It says only what kind of answer is wanted: how much, 多少钱. */
  isAnswerKind: boolean;
}

const answerKind = /^(?:how |多少|什么时|几|多久|时间$|价格$|价钱$|费用$|多长)/;

/** Returns what each term of a question is, in the order of the terms. */
export function rolesOf({ plain, terms }: Question): Role[] {
  const words = [...plain.matchAll(/[a-z\d][a-z\d'-]*/g)].map(([word]) => ({
    word,
    stem: tokenize(word, { mode: 'query' })[0] ?? word,
  }));
  return terms.map((term): Role => {
    const isAnswerKind = answerKind.test(term.text);
    return term.isHan
      ? { ...hanRole(plain, terms, term), isAnswerKind }
      : { ...latinRole(words, terms, term), isAnswerKind };
  });
}

function latinRole(
  words: readonly { word: string; stem: string }[],
  terms: readonly Term[],
  term: Term,
): Omit<Role, 'isAnswerKind'> {
  const at = words.findIndex(({ word, stem }) => stem === term.text || word === term.text);
  const before = words[at - 1]?.word ?? '';
  const after = words[at + 1];
  const isVerb = at >= 0 && verbBefore.test(before) && !nounBefore.test(before);
  const next = after === undefined ? -1 : terms.findIndex(({ text }) => text === after.stem);
  return {
    kind: isVerb ? 'verb' : 'noun',
    next: next < 0 ? undefined : next,
    isOf: after?.word === 'of',
    isBeside: false,
  };
}

function hanRole(plain: string, terms: readonly Term[], { text }: Term): Omit<Role, 'isAnswerKind'> {
  const at = plain.indexOf(text);
  const before = plain.slice(Math.max(0, at - 2), Math.max(0, at));
  const isNamed = hanValueAfter.test(plain.slice(at + text.length)) && !valueVerbs.has(text);
  const isVerb =
    [...text].length === 1 ? looseHan.has(text) && !isNamed : VERBS.has(text[0] ?? '') || hanVerbBefore.test(before);
  const after = plain.slice(at + text.length);
  const next = at < 0 ? -1 : terms.findIndex((term) => term.isHan && after.startsWith(term.text));
  const isAfter = terms.some((term) => term.isHan && before.endsWith(term.text));
  return {
    kind: isVerb ? 'verb' : 'noun',
    next: next < 0 ? undefined : next,
    isOf: before.endsWith('的'),
    isBeside: next >= 0 || isAfter,
  };
}
