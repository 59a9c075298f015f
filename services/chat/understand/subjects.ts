import { ENGLISH_STOP_WORDS } from '#kit/text/stop-words.ts';
import type { PastTurn } from '../answer/turn.ts';
import { codesOf, topicsOf } from './topics.ts';

/** Words of a question that depends on its conversation by a word that both have: English in words, Chinese in characters. */
const maxWords = 12;
const maxCharacters = 12;
/** Words that a question takes of what the conversation is about, and characters of an answer that are read. */
const maxSubjects = 10;
const answerLength = 1500;
const shortAnswer = 40;

/**
 * Returns the words that the conversation is about: names and titles of what the last answer cites, words that were said twice or
 * more, and those of the first question.
 */
export function subjectsOf(heard: readonly PastTurn[]): string[] {
  const counts = new Map<string, { word: string; count: number }>();
  for (const text of heard.flatMap(textsOf)) {
    for (const word of new Set(topicsOf(text))) {
      const key = stemOf(word);
      const known = counts.get(key) ?? { word, count: 0 };
      counts.set(key, { word: known.word, count: known.count + 1 });
    }
  }
  const titles = titlesOf(heard.at(-1)).flatMap((title) => topicsOf(title));
  const repeated = [...counts.values()].filter(({ count }) => count >= 2).sort((a, b) => b.count - a.count);
  const named = namesOf(heard.at(-1)?.answer ?? '');
  const first = topicsOf(heard[0]?.question ?? '');
  const subjects = [...titles.slice(0, 4), ...repeated.map(({ word }) => word), ...named.slice(0, 4)];
  // A short answer is a turn of a talk.
  const answer = heard.at(-1)?.answer ?? '';
  if (answer.length <= shortAnswer && /\p{sc=Han}/u.test(answer)) subjects.push(...topicsOf(answer));
  return distinct([...subjects.slice(0, maxSubjects - 2), ...first.slice(0, 5)]).slice(0, maxSubjects);
}

/** Returns that a short question without a name of its own depends on its conversation, if they share a word; otherwise `undefined`. */
export function leaningOnContext(question: string, heard: readonly PastTurn[]): { kind: 'reference' } | undefined {
  if (codesOf(question).length > 0) return undefined;
  const isChinese = /\p{sc=Han}/u.test(question);
  if (isChinese ? question.length > maxCharacters : question.split(/\s+/).length > maxWords) return undefined;
  // The first word begins with a capital; another one with a capital is a name.
  if (!isChinese && /\s["'(]?\p{Lu}\p{L}/u.test(question.trim().slice(1))) return undefined;
  const last = heard.at(-1);
  if (last === undefined) return undefined;
  // It names all that the question before named.
  const asked = question.toLowerCase();
  const before = topicsOf(last.question);
  if (before.length > 0 && before.every((word) => asked.includes(word.toLowerCase()))) return undefined;
  const own = topicsOf(question).map((word) => word.toLowerCase());
  const said = heard.flatMap(textsOf).join('\n').toLowerCase();
  const leans = isChinese
    ? chinesePredicate.test(question.trim()) || sharesCharacters(own, said)
    : open.test(question) ||
      general.test(question) ||
      sharesWord(definiteWords(question), said) ||
      (past.test(question) && sharesWord(own, said));
  return leans ? { kind: 'reference' } : undefined;
}

/** "不好看", "我也觉得", "没去过": what is said of something that was named before. */
const chinesePredicate =
  /^(?:[嗯哦啊那]+[，,\s]?)?(?:[我你他她]也|也|不好|不是很|不怎么|挺|很|太|好[看玩吃听用]|没[见看听去用玩吃]过?|没有[去看听见]|不?喜欢|[我你]?(?:感觉|觉得|没看|看过|没听|听过|没去|去过)|这[本部首]|讲|教教?|测|求你|再[讲来]|是[他她你我]|超|真|忘|算|(?:那)?你?(?:会|能|喜欢|最喜欢)|主人公|主角|作者|原名|详细|介绍|结局|男主|女主)[^？?]{0,7}[？?吗呢吧。]*$/u;

/** Returns the words after "the", "this" or "other": "the band", "other projects". */
function definiteWords(question: string): string[] {
  const nouns = question.matchAll(
    /\b(?:the|this|that|these|those|other|another|any|else|more) (\p{L}+)(?: (\p{L}+))?/giu,
  );
  return topicsOf([...nouns].flatMap(([, first = '', second = '']) => [first, second]).join(' '));
}

/** "What changed?": a story that has begun. */
const past = /\b(?:did|was|were|had|happened|became|changed|ended|joined|won|made|wrote)\b/i;
/** "Where does the term come from?", "some of the possible causes", "How many types are there?": a thing that only its conversation names. */
const general =
  /\bthe (?:term|system|test|study|studies|results?|findings|symptoms|side effects|origins?|differences?|similarities|causes|effects|key \w+)\b(?! (?:of|between|in|for|on|from|to)\b)|\bsome of the possible \w+[?.]?$|^how many (?:types|kinds|versions|sorts|species) are there\b/i;
/** A request for more about "makos", "What are the main themes?", "the biggest ever": a part of something that was named before. */
const open =
  /^\s*(?:can you |please )?(?:tell|teach) me (?:more )?about (?!the\b|your\b|this\b|my\b)[\p{Ll} -]+[.?!]?$|\bthe (?:main|first|last|biggest|largest|best|most \w+|different|other)(?: \w+){0,2}[?.!]?$/iu;

function sharesWord(own: readonly string[], said: string): boolean {
  const words = new Set((said.match(/[\p{L}\p{N}]+/gu) ?? []).map(stemOf));
  return own.some((word) => words.has(stemOf(word)));
}

/** Pairs of characters that questions about anything have. */
const common = new Set(
  '支持 数据 配置 使用 购买 设置 查看 获得 申请 修改 安装 处理 失败 最多 地域 实例 域名 监控 服务 功能 商品 产品 订单 什么 是否'.split(
    ' ',
  ),
);

// Two characters in a row.
function sharesCharacters(own: readonly string[], said: string): boolean {
  return own.some((run) =>
    Array.from({ length: run.length - 1 }, (_, at) => run.slice(at, at + 2)).some(
      (pair) => !common.has(pair) && said.includes(pair),
    ),
  );
}

const textsOf = (turn: PastTurn): string[] => [
  turn.question,
  turn.answer.slice(0, answerLength).replaceAll(/ ?\[\d{1,3}\]/g, ''),
  ...titlesOf(turn),
];

const titlesOf = (turn: PastTurn | undefined): string[] =>
  [...new Set((turn?.citations ?? []).map(({ title }) => title))].slice(0, 2);

// Words with a capital in the middle of a sentence.
function namesOf(answer: string): string[] {
  const names = answer.slice(0, answerLength).match(/(?<=[\p{Ll},] )\p{Lu}\p{Ll}+(?: \p{Lu}\p{Ll}+)*/gu) ?? [];
  return names.flatMap((name) => name.split(' ')).filter((word) => !ENGLISH_STOP_WORDS.has(word.toLowerCase()));
}

/** Returns the words without those that repeat another one in another form. */
export function distinct(words: readonly string[]): string[] {
  const seen = new Set<string>();
  return words.filter((word) => {
    const key = stemOf(word);
    return !seen.has(key) && seen.add(key);
  });
}

const stemOf = (word: string): string => word.toLowerCase().replace(/(?:'s|s|es|ed|ing)$/u, '');
