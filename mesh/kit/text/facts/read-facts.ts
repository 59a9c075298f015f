import { numbersToDigits } from './number-words.ts';
import { UNITS } from './units.ts';

/** The facts of a text, each in one form for every notation. */
export interface Facts {
  /** Numbers with their unit: "3000 cny", "5 percent", "2 次", "42". */
  numbers: string[];
  /** Dates, times, weekdays, parts of the day, holidays, relative days: "date 11-22", "weekday 1", "today". */
  times: string[];
  /** URLs, addresses, and letters with digits, as in `ppr9087`. */
  codes: string[];
  /** Every fact, by the number of its mark. */
  marked: string[];
  /** The text with a {@link factMark} in place of each. */
  rest: string;
}

/** Replaces a fact in the rest of a text; its number follows. It never occurs in a text, because texts are normalised. */
export const factMark = '\uE000';

/** Largest count of facts that keep their place; a question has fewer. */
const factsMax = 500;
const firstNumber = 0xe001;

/** Returns the fact that an atom of the content represents; `undefined` for any other atom. */
export function factOf(atom: string, facts: Facts): string | undefined {
  return atom.startsWith(factMark) ? facts.marked[atom.charCodeAt(1) - firstNumber] : undefined;
}

const months = 'jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec';
const monthNames = `(${months})(?:uary|ruary|ch|il|e|y|ust|t|tember|ober|ember)?`;
const monthOf = (name = ''): string => String(months.split('|').indexOf(name.slice(0, 3)) + 1);
const weekdays = 'mon|tue|wed|thu|fri|sat|sun';
const hanWeekdays = '一二三四五六日天';

/** Counting words after which a 1 says no more than "a": 一个账号, 1张卡. */
const articleUnits = new Set([...'个款种家位名条项部张笔次件']);

const hanUnits =
  '个月|个小时|个工作日|工作日|小时|分钟|公斤|千克|厘米|毫米|公里|[个天日周年月次笔张件台块元毛期倍折岁人户级星页条项套双瓶箱包斤克米层楼季成股位名家辆部款种遍趟盏把只枚支本门科分秒]';
const latinUnits = Object.keys(UNITS)
  .filter((unit) => /^[a-z%]+$/.test(unit))
  .concat([
    'kg',
    'g',
    'mg',
    'km',
    'cm',
    'mm',
    'ml',
    'l',
    'gb',
    'mb',
    'tb',
    'kb',
    'w',
    'kw',
    'v',
    'mah',
    'inch',
    'inches',
    'hz',
  ])
  .sort((a, b) => b.length - a.length)
  .join('|');
const number = '\\d{1,3}(?:,\\d{3}){1,5}(?:\\.\\d{1,6})?|\\d{1,20}(?:\\.\\d{1,20}){0,4}';
const scales: Readonly<Record<string, number>> = {
  百: 1e2,
  千: 1e3,
  万: 1e4,
  百万: 1e6,
  千万: 1e7,
  亿: 1e8,
  k: 1e3,
  thousand: 1e3,
  million: 1e6,
  billion: 1e9,
};
const currencies = '人民币|美元|美金|欧元|日元|港币|港元|英镑|韩元|卢布';
const isoOf: Readonly<Record<string, string>> = {
  人民币: 'cny',
  美元: 'usd',
  美金: 'usd',
  欧元: 'eur',
  日元: 'jpy',
  港币: 'hkd',
  港元: 'hkd',
  英镑: 'gbp',
  韩元: 'krw',
  卢布: 'rub',
};

/** Words for a time, with the name that facts use. Longer ones first within a name. */
const timeWords: readonly (readonly [name: string, words: string])[] = [
  ['the day before yesterday', '前天|前日|day before yesterday'],
  ['the day after tomorrow', '后天|后日|day after tomorrow'],
  ['yesterday', '昨天|昨日|昨晚|昨夜|yesterday|last night'],
  ['today', '今天|今日|今晚|今早|当天|当日|today|tonight'],
  ['tomorrow', '明天|明日|明早|明晚|tomorrow'],
  ['last month', '上个?月|last month|previous month'],
  ['this month', '这个月|本月|当月|this month'],
  ['next month', '下个?月|next month'],
  ['last week', '上个?(?:周|星期|礼拜)(?![一二三四五六日天末])|last week'],
  ['this week', '这个?(?:周|星期|礼拜)(?![一二三四五六日天末])|本周(?![一二三四五六日天末])|this week'],
  ['next week', '下个?(?:周|星期|礼拜)(?![一二三四五六日天末])|next week'],
  ['the last week', '上个?(?=(?:周|星期|礼拜)[一二三四五六日天末])|last (?=(?:mon|tue|wed|thu|fri|sat|sun))'],
  ['the next week', '下个?(?=(?:周|星期|礼拜)[一二三四五六日天末])|next (?=(?:mon|tue|wed|thu|fri|sat|sun))'],
  ['last year', '去年|last year'],
  ['this year', '今年|this year'],
  ['next year', '明年|next year'],
  ['weekend', '周末|weekends?'],
  ['workday', '(?<!个)工作日|weekdays?|(?<!\\d )business days?'],
  ['early morning', '凌晨|midnight'],
  ['morning', '上午|早上|早晨|清晨|morning|(?<=\\d )a\\.?m\\b|(?<=\\d)a\\.?m\\b'],
  ['noon', '中午|noon'],
  ['afternoon', '下午|afternoon|(?<=\\d )p\\.?m\\b|(?<=\\d)p\\.?m\\b'],
  ['evening', '晚上|傍晚|夜里|夜间|半夜|evening'],
  ['spring festival', '春节|过年|大年|spring festival|chinese new year|lunar new year'],
  ['new year', '元旦|跨年|new year'],
  ['national day', '国庆|十一黄金周|national day'],
  ['labour day', '五一|劳动节|labou?r day|may day'],
  ['mid-autumn', '中秋|mid-autumn'],
  ['dragon boat', '端午|dragon boat'],
  ['qingming', '清明|qingming'],
  ['lantern', '元宵|lantern festival'],
  ['qixi', '七夕|qixi'],
  ['valentine', '情人节|valentine'],
  ['christmas', '圣诞|christmas|xmas'],
  ['easter', '复活节|easter'],
  ['thanksgiving', '感恩节|thanksgiving'],
  ['black friday', '黑色星期五|黑五|black friday'],
  ['cyber monday', 'cyber monday'],
  ['halloween', '万圣节|halloween'],
  ['spring', '春季|春天|in spring|spring sale'],
  ['summer', '夏季|夏天|暑假|暑期|summer'],
  ['autumn', '秋季|秋天|autumn'],
  ['winter', '冬季|冬天|寒假|winter'],
];

type Kind = 'numbers' | 'times' | 'codes';

interface Shape {
  kind: Kind;
  /** A word for a time: today, morning, 春节. */
  isWord?: true;
  pattern: RegExp;
  /** The fact; `undefined`: none, the text stays; '': none, and the text goes. */
  toFact(groups: readonly (string | undefined)[]): string | undefined;
}

/** In order of precedence: a shape removes its text before the next one. Every repeat is bounded, so a match stays linear. */
const shapes: readonly Shape[] = [
  { kind: 'codes', pattern: /https?:\/\/[a-z0-9\-._~:/?#[\]@!$&*+,;=%]{1,500}/g, toFact: ([url]) => url },
  {
    kind: 'codes',
    pattern: /(?<![\w.+-])[a-z0-9._%+-]{1,64}@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,5}/g,
    toFact: ([address]) => address,
  },
  {
    kind: 'times',
    pattern: /(?<!\d)((?:19|20)\d{2})\s?(?:年|[-/.])\s?(\d{1,2})\s?(?:月|[-/.])\s?(\d{1,2})(?!\d)\s?[日号]?/g,
    toFact: ([, year, month, day]) => `date ${year}-${Number(month)}-${Number(day)}`,
  },
  {
    kind: 'times',
    pattern: new RegExp(
      `(?<![a-z])${monthNames}\\.? {1,2}(\\d{1,2})(?:st|nd|rd|th)?(?:,? {1,2}(\\d{4}))?(?![\\da-z])`,
      'g',
    ),
    toFact: ([, month, day, year]) => `date ${year === undefined ? '' : `${year}-`}${monthOf(month)}-${Number(day)}`,
  },
  {
    kind: 'times',
    pattern: new RegExp(
      `(?<!\\d)(\\d{1,2})(?:st|nd|rd|th)? {1,2}(?:of )?${monthNames}\\.?(?:,? {1,2}(\\d{4}))?(?![\\da-z])`,
      'g',
    ),
    toFact: ([, day, month, year]) => `date ${year === undefined ? '' : `${year}-`}${monthOf(month)}-${Number(day)}`,
  },
  {
    kind: 'times',
    pattern: new RegExp(
      `(?<![a-z])(?:(?:in|of|by|until|since|before|after|last|next|this) )(${months})(?:uary|ruary|ch|il|e|y|ust|t|tember|ober|ember)?(?![a-z])`,
      'g',
    ),
    toFact: ([, month]) => `month ${monthOf(month)}`,
  },
  {
    kind: 'times',
    pattern: /(?<![a-z])(january|february|april|june|july|august|september|october|november|december)(?![a-z])/g,
    toFact: ([, month]) => `month ${monthOf(month)}`,
  },
  {
    kind: 'times',
    pattern: /(?<!\d)(\d{1,2})\s?月(?:份)?(?:\s?(\d{1,2})\s?[日号])?/g,
    toFact: ([, month, day]) => (day === undefined ? `month ${Number(month)}` : `date ${Number(month)}-${Number(day)}`),
  },
  {
    kind: 'times',
    pattern: /(?<!\d)(\d{1,2})\/(\d{1,2})(?![\d/])/g,
    toFact: ([, a, b]) => `date ${Number(a)}-${Number(b)}`,
  },
  { kind: 'times', pattern: /(?<!\d)((?:19|20)\d{2})\s?年/g, toFact: ([, year]) => `year ${year}` },
  {
    kind: 'times',
    pattern: /(?<![\d个])(\d{1,2})[日号](?!楼|线|码|门|店)/g,
    toFact: ([, day]) => `day ${Number(day)}`,
  },
  {
    kind: 'times',
    pattern: /(?<!\d)(\d{1,2})(?::|点|时(?!间))(\d{1,2})?(半|刻)?(?:分(?!期))?(?=\s?([ap])\.?m|)/g,
    toFact: ([, hour, minute, part]) =>
      `clock ${Number(hour)}:${Number(minute ?? (part === '半' ? 30 : part === '刻' ? 15 : 0))}`,
  },
  { kind: 'times', pattern: /(?<!\d)(\d{1,2})(?= ?[ap]\.?m\b)/g, toFact: ([, hour]) => `clock ${Number(hour)}:0` },
  {
    kind: 'times',
    pattern: new RegExp(`(?:周|星期|礼拜)([${hanWeekdays}1-7])`, 'g'),
    toFact: ([, day = '']) => `weekday ${/\d/.test(day) ? Number(day) : Math.min(6, hanWeekdays.indexOf(day)) + 1}`,
  },
  ...timeWords.map(([name, words]): Shape => {
    const pattern = new RegExp(`(?<![a-z])(?:${words})(?![a-z])`, 'g');
    return { kind: 'times', isWord: true, pattern, toFact: () => name };
  }),
  {
    kind: 'times',
    pattern: new RegExp(`(?<![a-z])(${weekdays})(?:day|sday|nesday|rsday|urday)?s?(?![a-z])`, 'g'),
    // "sun" and "sat" are words of their own.
    toFact: ([word = '', day = '']) =>
      word === 'sun' || word === 'sat' ? undefined : `weekday ${weekdays.split('|').indexOf(day) + 1}`,
  },
  {
    kind: 'codes',
    pattern: new RegExp(
      `(?<![a-z0-9])(?=[a-z0-9._-]{0,30}\\d)(?=[\\d._-]{0,30}[a-z])(?!(?:${number})[ -]?(?:k|thousand|million|billion|${latinUnits}|st|nd|rd|th)(?![a-z]))` +
        '[a-z0-9]{1,32}(?:[._-][a-z0-9]{1,32}){0,6}',
      'g',
    ),
    toFact: ([code = '']) => code.replace(/(?<=\d)[_-](?=\d)/g, '-').replace(/_|(?<!\d)[.-]|[.-](?!\d)/g, ''),
  },
  {
    kind: 'numbers',
    pattern: new RegExp(
      `(第)?([¥$€£])?\\s?(${number})(?!\\d)(?:st|nd|rd|th)?(?:[\\s-]?(百万|千万|百|千|万|亿|k|thousand|million|billion)(?![a-z]))?` +
        `(?:\\s?(多|余))?(?:[\\s-]?(${currencies}|${hanUnits}|(?:${latinUnits})(?![a-z])|%))?`,
      'g',
    ),
    toFact: ([, ordinal, sign, value = '', scale, , unit]) =>
      toNumber(value, scale, sign ?? unit, ordinal !== undefined),
  },
  {
    kind: 'numbers',
    pattern: new RegExp(
      `(?<![a-z])(?:${currencies}|usd|cny|rmb|eur|gbp|hkd|jpy|dollars?|yuan|euros?|pounds?)(?![a-z])`,
      'g',
    ),
    toFact: ([word = '']) => `in ${isoOf[word] ?? UNITS[word] ?? word.replace(/s$/, '')}`,
  },
];

const shapesWithoutWords = shapes.filter(({ isWord }) => isWord !== true);

/**
 * Returns the facts of a text in normal form (`normalizeText`, Han folded). Without `timeWords`, words such as "today" and 春节 are
 * left out, which takes half the time.
 */
export function readFacts(text: string, { timeWords: hasWords = true }: { timeWords?: boolean } = {}): Facts {
  const facts: Facts = { numbers: [], times: [], codes: [], marked: [], rest: numbersToDigits(text) };
  for (const { kind, pattern, toFact } of hasWords ? shapes : shapesWithoutWords) {
    facts.rest = facts.rest.replace(pattern, (...found: unknown[]) => {
      const groups = found as string[];
      const fact = toFact(groups);
      if (fact === undefined) return groups[0] as string;
      if (fact === '') return ' ';
      facts[kind].push(fact);
      if (facts.marked.length >= factsMax) return ' ';
      facts.marked.push(fact);
      return ` ${factMark}${String.fromCharCode(firstNumber + facts.marked.length - 1)} `;
    });
  }
  return facts;
}

/** Returns the number of `1,299.00`, `3万元` or `第2次`, with its unit. */
function toNumber(digits: string, scale: string | undefined, unit: string | undefined, isOrdinal: boolean): string {
  const plain = digits.replaceAll(',', '');
  const isExact = plain.length <= 15 && plain.split('.').length <= 2;
  const value = isExact ? String(Number((Number(plain) * (scales[scale ?? ''] ?? 1)).toPrecision(15))) : plain;
  if (isOrdinal) return `number ${value}`;
  if (value === '1' && unit !== undefined && articleUnits.has(unit)) return '';
  if (unit === undefined) return value;
  return `${value} ${isoOf[unit] ?? UNITS[unit] ?? (unit === '个小时' ? 'hour' : unit === '月' ? 'month' : unit)}`;
}
