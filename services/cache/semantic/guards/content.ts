import { factMark } from '#kit/text/facts/read-facts.ts';
import { tokenize } from '#kit/text/tokenize.ts';

/** Phrases without content: greetings, politeness, pronouns, modal words. Longer ones first. */
const hanFillers = new RegExp(
  [
    '请问一下|请问下|我想问一下|我想问下|我想问|想问一下|想问下|想问|问一下|问下|请问|麻烦问|麻烦|你好|您好|亲亲|亲爱的|谢谢|多谢|拜托|客服|请教|咨询一下|咨询',
    '告诉我|帮我|帮忙|给我|我们|你们|咱们|我的|你的|您的|自己的|自己|一下子|一下|的话|来说|的时候|请',
    '能够|可以|应该|需要|想要|我要|我想|为何|是否|能否|可否|有没有|是不是|能不能|会不会|可不可以|要不要|行不行|好不好',
    '为什么|为啥|怎么样|怎么办|怎么回事|怎么才能|怎么会|怎么|怎样|如何|咋样|咋办|咋|什么时候|什么时间|啥时候|何时|多长时间|多久|什么地方|哪里|哪儿|什么原因|什么意思|什么|甚么|啥|哪些|哪个|哪种|多少|几点|几时|谁',
    '这个|那个|这些|那些|这样|那样|这边|那边|这|那|此|该',
    '[吗呢吧啊呀哦嘛喔哈哎唉噢么了的得地着我您你俺咱想要能会是就都也请亲可吧阿]',
  ].join('|'),
  'g',
);

/** Spellings of one word, and the one that is compared. */
const spellings: readonly (readonly [pattern: RegExp, by: string])[] = [
  [/更换|更改|修改|变更|改成|改为|换成|换为/g, '更改'],
  [/登陆/g, '登录'],
  [/帐/g, '账'],
  [/账户/g, '账号'],
  [/手机号码/g, '手机号'],
  [/电话号码/g, '电话号'],
  [/绑订|邦定|绑订/g, '绑定'],
  [/还钱/g, '还款'],
  [/其它/g, '其他'],
  [/支付宝账号/g, '支付宝'],
  [/收不到|没有收到|没收到|未收到/g, '没收到'],
  [/e-mail/g, 'email'],
];

const englishFillers = new Set(
  'pleas|hi|hello|hei|thank|thx|kindli|want|need|wish|would|like|help|let|tell|know|possibl|abl|get|got|way|us|someth|anyth|alreadi|still|ok|okai'.split(
    '|',
  ),
);
/** Function words that can change a meaning: they keep their place for the guard on order. */
export const pivots = new Set(
  'from to into onto for with than before after by over instead until since between'.split(' '),
);

/** Returns the text with one spelling for each word. */
function unifySpelling(text: string): string {
  let unified = text;
  for (const [pattern, by] of spellings) unified = unified.replace(pattern, by);
  return unified;
}

/** Returns a text in normal form with one spelling for each word, and a space for each Chinese phrase without content. */
export function withoutFillers(text: string): string {
  return unifySpelling(text).replace(hanFillers, ' ');
}

/** Returns the content of a text in normal form, in order: Chinese characters, English stems, marks of facts. */
export function contentOf(text: string): string[] {
  const atoms: string[] = [];
  for (const [piece] of withoutFillers(text).matchAll(pieces)) {
    if (piece.startsWith(factMark)) atoms.push(piece);
    else if (/\p{sc=Han}/u.test(piece)) atoms.push(...piece);
    else for (const token of tokenize(piece, { mode: 'index' })) if (!englishFillers.has(token)) atoms.push(token);
  }
  return atoms;
}

const pieces = new RegExp(`${factMark}[\\uE001-\\uE3FF]|\\p{sc=Han}+|[^\\s\\p{sc=Han}${factMark}]+`, 'gu');

/** Returns the content with the function words that make order matter. */
export function orderedContentOf(text: string): string[] {
  const atoms: string[] = [];
  for (const [piece] of text.matchAll(/[a-z']+|[^a-z']+/g)) {
    if (pivots.has(piece)) atoms.push(piece);
    else atoms.push(...contentOf(piece));
  }
  return atoms;
}
