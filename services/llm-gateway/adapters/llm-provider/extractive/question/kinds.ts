/** Kinds of answers that are visible in a text. */
export type AnswerKind = 'time' | 'money' | 'number' | 'person' | 'place' | 'phone' | 'steps';

const asked: readonly (readonly [AnswerKind, RegExp])[] = [
  // These words ask for a time, whatever else the question names: 几点能打通电话, how soon is the deposit paid back.
  [
    'time',
    /多久|多长时间|期限?有?多长|几天|多少天|什么时候|啥时候|何时|几点|\bhow (?:long|soon|often)\b|\bwhat time\b|^when\b|\btransit time\b|\breturn window\b/u,
  ],
  [
    'phone',
    /电话|热线|号码是|(?:怎么|怎样|如何)联系|联系方式|\bby phone\b|\b(?:call|ring|contact|reach) you\b|\b(?:phone|telephone|hotline)\b.*\bnumber\b|\bnumber\b.*\bcall\b|\bphone number\b|\bhotline\b/,
  ],
  [
    'money',
    /多少钱|几块|几元|多少元|价格|价钱|售价|单价|什么价|啥价|费用|收费|运费|邮费|手续费|佣金|押金|保证金|年费|票价|贵不贵|(?:赔|扣|抵|补|退|收|交|付|减)(?:偿|付|我)?(?:多少|几[块元钱])|卖多少|(?:买|卖|花|抵)(?:要|得|需)?(?:多少|几)(?![件个张次台份盏])/u,
  ],
  [
    'time',
    /多久|多长时间|几天|多少天|几个?(?:月|周|年|小时|工作日|星期)|什么时候|啥时候|何时|几点|哪天|时限|时效|期限|有效期|营业时间/u,
  ],
  ['number', /多少|几|多(?:大|高|厚|重|宽|深|快|远|长)|比例|占比|上限|限额/u],
  ['person', /谁|叫什么名字|姓什么|哪位/u],
  ['place', /在哪|哪里|哪儿|什么地方|哪个城市/u],
  ['steps', /怎么(?!回事|样|算)|怎样|如何|步骤|流程|咋(?:办|弄)/u],
  [
    'money',
    /\bhow much ?[?]?$|\bhow much (?:is|are|does|do|did|will|would|can|money|to)\b|\bcosts?\b|\bprices?\b|\bpriced\b|\bfees?\b|\bcharges?\b|\bdeposit\b|\bcommission\b|\bpostage\b|\brates?\b/,
  ],
  [
    'time',
    /\bhow (?:long|soon|often|late|early|quickly|fast)\b|\bwhen\b|\bwhat time\b|\b(?:opening|business|working|visiting) hours\b|\bhow many (?:\w+ )?(?:days|weeks|months|years|hours|minutes)\b|\bperiod\b|\bdeadline\b|\buntil when\b|\btill when\b/,
  ],
  [
    'number',
    /\bhow (?:many|much|high|tall|big|large|heavy|thick|far|bright|loud|old|wide)\b|\bwhat (?:share|percentage|number|size|version)\b|\bmaximum\b|\bminimum\b|\blimit\b|\bweight\b|\bweigh/,
  ],
  ['person', /\bwho(?:m|se)?\b/],
  ['place', /\bwhere\b/],
  [
    'steps',
    /\bhow (?:do|can|to|should|would|does)\b|\bsteps?\b|\bset up\b|\bturn (?:on|off)\b|\bwhat (?:now|should i do|can i do|do i do)\b/,
  ],
];

/** Names of rules that have a word for a kind of answer: price protection is no price. */
const nameOfRule = /价格保护|退差价|补差价|(?<![a-z])price (?:protection|drops?|match|guarantee|changes?)(?![a-z])/g;

/** Returns the kind of answer that a question in normal form needs; `undefined`: not known. */
export function kindAsked(plain: string): AnswerKind | undefined {
  const rest = plain.replace(nameOfRule, ' ');
  return asked.find(([, pattern]) => pattern.test(rest))?.[0];
}

const shown: Record<AnswerKind, RegExp> = {
  time: /\d\s?(?:[-–~至到]\s?\d+\s?)?(?:个?(?:工作|自然)?(?:天|日|周|月|年|小时|分钟|秒|点|岁)|[a-z]*[ -]?(?:[a-z]+ )?(?:day|week|month|year|hour|minute|second|o'clock|a\.?m|p\.?m)s?\b|h\b)|\d{1,2}:\d{2}|[一二三四五六七八九十两半]个?(?:天|日|周|月|年|小时|点)|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|twelve) (?:\w+ )?(?:day|week|month|year|hour|minute)s?\b|立即|即时|立刻|当天|次日|长期|永久|immediate|at once|same day|never|monthly|yearly|daily|weekly|\b\d{1,2} (?:january|february|march|april|may|june|july|august|september|october|november|december)\b|\b\d{1,2}(?:st|nd|rd|th)\b|\b(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b|\b(?:every|each) (?:day|week|month|quarter|year)\b|\d{1,2} ?月 ?\d{1,2}|周[一二三四五六日]|每[天日周月年]/i,
  money:
    /[¥$€£%]\s?\d|\d\s?(?:万|%|percent\b|[欧美日港澳加新韩]?元|块|欧(?!洲)|英镑|美金|港币|日币|yuan\b|dollars?\b|euros?\b|coins?\b)|\b(?:cny|usd|eur|gbp|rmb|hkd|jpy|sgd)\s?\d|\d\s?(?:cny|usd|eur|gbp|rmb|sgd)\b|免费|免收|免票|包邮|免运费|免息|\bfree\b|\bcosts? nothing\b|\bwaived\b|由我们承担|we pay|扣款|deduct/i,
  number:
    /\d|[一二三四五六七八九十百千两]+[个件次人条项种倍张]|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|hundred|thousand|million|half|once|twice)\b/i,
  person:
    /\b(?:we|us|you|they|carrier|seller|customer|buyer|courier|technicians?|support|team|by [A-Z])\b|我们|您|顾客|客服|承运|商家|卖家|本人|由.{1,8}(?:承担|负责)/,
  place:
    /\b(?:at|in|on|behind|under|near|beside|from|to|account|orders|settings)\b|https?:|在|位于|到|页|路|店|楼|—|→/i,
  phone: /\+?\d[\d -]{6,}/,
  steps: /\p{L}/u,
};

/** Returns whether a text has the kind of answer. */
export function showsKind(kind: AnswerKind, text: string): boolean {
  return shown[kind].test(text);
}

const price =
  /[¥$€£]\s?\d|\d\s?(?:万?[欧美日港澳加新韩]?元|块|欧(?!洲)|英镑|美金|港币|日币|yuan\b|dollars?\b|euros?\b|coins?\b)|\b(?:cny|usd|eur|gbp|rmb|hkd|jpy|sgd)\s?\d|\d\s?(?:cny|usd|eur|gbp|rmb|hkd|sgd)\b/i;

/** An amount that someone must reach, which is no price: "who spend $900", 满 500 元. */
const threshold =
  /(?:\b(?:spend(?:s|ing)?|over|above|below|under|more than|less than|exceed(?:s|ing)?|orders? of)|满|超过|超出|达到?|不足|低于|高于) ?(?:[a-z]{3} )?[¥$€£]? ?\d[\d,.]* ?(?:[欧美日港澳加新韩]?元|块|[a-z]{3,7}(?![a-z]))?/gi;

/** Returns whether a text names an amount of money that something costs. */
export function showsPrice(text: string): boolean {
  return price.test(text) && price.test(text.replace(threshold, ' '));
}
