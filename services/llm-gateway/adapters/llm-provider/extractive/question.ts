import { detectLanguage } from '#kit/text/language.ts';
import { normalizeText } from '#kit/text/normalize.ts';
import { CHINESE_STOP_CHARACTERS } from '#kit/text/stop-words.ts';
import { tokenize } from '#kit/text/tokenize.ts';

/** The terms of a question, and the kind of answer that it needs. */
export interface Question {
  language: 'zh' | 'en';
  /** Each once, in order. */
  terms: readonly Term[];
  /** The kind of answer that it needs; `undefined`: not known. */
  wants: AnswerKind | undefined;
}

/** A word of a question that an answer must be about. */
export interface Term {
  /** Normalised; a Latin word as its stem. */
  text: string;
  /** A Chinese word, which matches inside a text; all other terms match tokens. */
  isHan: boolean;
  /** A code (PPR-9087) or a year: an answer about another one does not answer the question. */
  isExact: boolean;
  /** Weight of the term beside its rarity, 0 to 1. */
  weight: number;
}

/** Kinds of answers that are visible in a text. */
export type AnswerKind = 'time' | 'money' | 'number' | 'steps';

const words = (list: string): ReadonlySet<string> => new Set(list.trim().split(/\s+/));

/** Words that form a question, without its topic. English as stems. */
const englishFrame = new Set([
  'tell',
  ...words(`
  mani much long often soon pleas want need know get got go goe let say said ask question happen mean work
  possibl allow abl mai might must shall would like help possibli name call anyth someth differ kind type use
  us on two way thing make made take give given now ever never still yet alreadi even realli actual`),
]);
const chineseFrame = words(`
  什么 怎么 怎样 如何 为什么 为何 哪 哪些 哪个 哪里 哪儿 哪家 哪一 是否 可以 可 能 能否 能不能 可不可以 有没有 有 没有 多少 多久 多 几 几天
  几个 几点 几年 请问 请 一下 这个 那个 这 那 我们 你们 他们 我 你 您 吗 呢 吧 啊 么 的 了 是 在 和 与 或 要 想 会 需要 应该 应 该 得
  怎么办 怎么样 做 办 个 里 上 下 中 后 前 时 时候 就 都 也 还 又 再 才 被 把 给 对 从 到 为 以 而 但 不 让 用 使用 进行 关于 之 其 所 如果
  算 叫 说 问 知道 帮 帮忙 谁 哦 一 一个 来 去 过 着 等 及 将 于 由 向 比 每 内 之内 以内 之前 以前 之后 以后 之外 以外 期间 别 别的 其他
  不要 不能 的是 做的 的话 意思 处理 一共 总共 现在 目前 已经 一直 还是 或者 以及 并且 而且 年 月 日 天 多长 什么样 何 款 家 位 项 份 次 张 件`);
/** Words for the kind of answer. The answer shows its kind by itself, so they have a low weight. English as stems. */
const kindWords = words(`
  多少钱 什么时候 时间 价格 费用 金额 时候 时长 钱 period cost price fee amount monei dai week month year hour minut`);

const kinds: readonly (readonly [AnswerKind, RegExp])[] = [
  ['time', /多久|多长时间|几天|几个?(?:月|周|年|小时|工作日|星期)|什么时候|何时|几点|哪天|时限|时效|期限|有效期/u],
  [
    'money',
    /多少钱|几块|几元|多少元|价格|售价|费用|收费|运费|手续费|佣金|押金|保证金|金额|限额|额度|(?:赔|扣|抵|补|退|收)(?:偿|付)?多少/u,
  ],
  ['number', /多少|几|多(?:大|高|厚|重|宽|深|快|远)|比例|占比/u],
  ['steps', /怎么|怎样|如何|步骤|流程/u],
  [
    'time',
    /\bhow (?:long|soon|often|late|early)\b|\bwhen\b|\bwhat time\b|\b(?:opening|business|working) hours\b|\bhow many (?:\w+ )?(?:days|weeks|months|years|hours|minutes)\b|\bperiod\b|\bdeadline\b/,
  ],
  [
    'money',
    /\bhow much (?:is|are|does|do|will|would|can|money)\b|\bcosts?\b|\bprices?\b|\bfees?\b|\bcharges?\b|\bdeposit\b|\bcommission\b|\bamount\b/,
  ],
  [
    'number',
    /\bhow (?:many|much|high|tall|big|large|heavy|thick|far|fast|bright)\b|\bwhat (?:share|percentage|number)\b|\bmaximum\b|\bminimum\b|\blimit\b/,
  ],
  ['steps', /\bhow (?:do|can|to|should|would|does)\b|\bsteps?\b|\bset up\b|\bturn (?:on|off)\b/],
];

const segmenter = new Intl.Segmenter('zh', { granularity: 'word' });
const exact = /^(?=.*\d)(?=.*[a-z])[a-z0-9.-]+$/;
const year = /^(?:19|20)\d\d$/;

/** Bounds of a question: length in UTF-16 code units, and number of words. */
const maxLength = 2000;
const maxTerms = 64;

/** Reads a question. `language`: the language of the answer, if the caller knows it. */
export function readQuestion(text: string, language?: 'zh' | 'en'): Question {
  const plain = normalizeText(text.slice(0, maxLength));
  const terms = new Map<string, Term>();
  const names = namesIn(text.slice(0, maxLength));
  const add = (term: Term) => {
    if (!terms.has(term.text)) terms.set(term.text, term);
  };
  // Latin words and codes are tokens of the keyword search, Han is split into words: bigrams across words would count as missing.
  for (const token of tokenize(latinOf(plain), { mode: 'query' })) {
    if (englishFrame.has(token) || (token.length === 1 && !/\d/.test(token))) continue;
    const isExact = exact.test(token) || year.test(token);
    const isNumber = /^\d+(?:\.\d+)?$/.test(token) && !isExact;
    const weight = isNumber || kindWords.has(token) ? partWeight : names.has(token) ? nameWeight : 1;
    add({ text: token, isHan: false, isExact, weight });
  }
  for (const word of hanWords(plain)) {
    const weight = [...word].length === 1 || kindWords.has(word) ? partWeight : 1;
    add({ text: word, isHan: true, isExact: false, weight });
  }
  // The parts of a code add nothing to the code itself: 9087 and ppr of ppr9087.
  const codes = [...terms.values()].filter((term) => term.isExact).map((term) => term.text);
  for (const part of terms.keys()) {
    if (codes.some((code) => code !== part && code.includes(part))) terms.delete(part);
  }
  return {
    language: language ?? (detectLanguage(plain) === 'zh' ? 'zh' : 'en'),
    terms: [...terms.values()].slice(0, maxTerms),
    wants: kinds.find(([, pattern]) => pattern.test(plain))?.[0],
  };
}

/** Weight of a term with little meaning: one character, a plain number, a word for the kind of answer. */
const partWeight = 0.4;
/** Weight of a name: an answer about another place or person does not answer the question. */
const nameWeight = 1.4;

/** Returns the stems of the capitalized words inside a sentence. */
function namesIn(text: string): ReadonlySet<string> {
  const capitals = text.match(/(?<=[\p{Ll}\d,;:"'’)]\s)\p{Lu}\p{Ll}+/gu) ?? [];
  return new Set(tokenize(capitals.join(' '), { mode: 'query' }));
}

/**
 * Returns the Chinese words of a question. Adjacent single characters are words that the dictionary does not know, usually of two
 * characters: 退货质检 is 退货 and 质检.
 */
function hanWords(plain: string): string[] {
  const found: string[] = [];
  let singles = '';
  const flush = () => {
    for (let rest = [...singles]; rest.length > 0; ) found.push(rest.splice(0, rest.length === 3 ? 3 : 2).join(''));
    singles = '';
  };
  for (const { segment } of segmenter.segment(plain)) {
    const isFrame = chineseFrame.has(segment) || CHINESE_STOP_CHARACTERS.has(segment);
    if (!/^\p{sc=Han}+$/u.test(segment) || isFrame) flush();
    else if ([...segment].length === 1) singles += segment;
    else {
      flush();
      found.push(segment);
    }
  }
  flush();
  return found;
}

/** Returns the text without Han, and without hyphens between plain words: out-of-warranty matches by its words. */
function latinOf(plain: string): string {
  return plain.replace(/\p{sc=Han}+/gu, ' ').replace(/(?<=[a-z])[-/](?=[a-z])/g, ' ');
}

const shown: Record<AnswerKind, RegExp> = {
  time: /\d\s?(?:[-–~至到]\s?\d+\s?)?(?:个?(?:工作|自然)?(?:天|日|周|月|年|小时|分钟|秒|点)|(?:[a-z]+ )?(?:day|week|month|year|hour|minute|second|o'clock|a\.?m|p\.?m)s?\b)|\d{1,2}:\d{2}|[一二三四五六七八九十两半]个?(?:天|日|周|月|年|小时)|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|twelve) (?:\w+ )?(?:day|week|month|year|hour|minute)s?\b|立即|即时|当天|永久|immediately|at once|same day|never/i,
  money:
    /[¥$€£%]\s?\d|\d\s?(?:元|块|万|%|percent\b|yuan\b|dollars?\b|euros?\b)|\b(?:cny|usd|eur|gbp|rmb|hkd|jpy)\s?\d|\d\s?(?:cny|usd|eur|gbp|rmb)\b|免费|包邮|免运费|\bfree\b/i,
  number:
    /\d|[一二三四五六七八九十百千两]+[个件次人条项种倍]|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|hundred|thousand|million|half|once|twice)\b/i,
  steps: /\p{L}/u,
};

/** Returns whether a text has the kind of answer. */
export function showsKind(kind: AnswerKind, text: string): boolean {
  return shown[kind].test(text);
}
