import { normalizeText } from '../normalize.ts';
import { SCALES, UNITS } from './units.ts';

// A quick reader of facts, for scores over many passages: the lexical reranker and the comparison of the cache's shadow. read-facts.ts reads
// more (numbers in words, times, more units) for claims and questions. One reader cannot serve both: on the sample corpus the other one
// takes 3.5 times as long, and finds other facts in four of five passages, which changes the `facts` score of a third of their pairs.

/** Largest count of facts of a text; the first ones are kept. */
export const FACTS_MAX = 500;

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const MONTH = '(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\\.?';
const HAN_DIGITS = '零一二三四五六七八九';

const longestFirst = (words: object): string =>
  Object.keys(words)
    .sort((a, b) => b.length - a.length)
    .map((word) => word.replace('$', '\\$'))
    .join('|');

const SCALE = longestFirst(SCALES);
const UNIT = longestFirst(UNITS);
const NUMBER = '\\d{1,3}(?:,\\d{3}){1,5}(?:\\.\\d{1,6})?|\\d{1,20}(?:\\.\\d{1,20}){0,4}';
/** `¥1,299.00`, `3万元`, `1.2 million dollars`, `7-day`: currency sign, number, scale, unit. */
const QUANTITY = new RegExp(
  `([¥$€£])?\\s?(${NUMBER})(?!\\d)(?:[\\s-]?(${SCALE})(?![a-z]))?(?:[\\s-]?(${UNIT})(?![a-z]))?`,
  'g',
);
/** Letters and digits in one piece (PPR-9087, iPhone15, E-07, v2.1.3) that are no quantity (7-day). */
const CODE = new RegExp(
  `(?<![a-z0-9])(?=[a-z0-9._-]{0,30}\\d)(?=[\\d._-]{0,30}[a-z])(?!(?:${NUMBER})-?(?:${SCALE}|${UNIT})(?![a-z]))` +
    '[a-z0-9]{1,32}(?:[._-][a-z0-9]{1,32}){0,6}',
  'g',
);

/** In order of precedence: a shape removes its text before the next one. Every repeat is bounded, so a match stays linear. */
const SHAPES: readonly { pattern: RegExp; toFact: (groups: readonly string[]) => string | undefined }[] = [
  {
    pattern: /https?:\/\/[a-z0-9\-._~:/?#[\]@!$&*+,;=%]{1,500}/g,
    toFact: ([url = '']) => url.replace(/[.,;:!?\]]+$/, ''),
  },
  {
    pattern: /(?<![\w.+-])[a-z0-9._%+-]{1,64}@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,5}/g,
    toFact: ([email = '']) => email,
  },
  {
    pattern:
      /(?<!\d)(\d{4})\s{0,2}(?:年|[-/.])\s{0,2}(\d{1,2})\s{0,2}(?:月|[-/.])\s{0,2}(\d{1,2})(?!\d)\s{0,2}[日号]?/g,
    toFact: ([, year, month, day]) => toDate(year, month, day),
  },
  {
    pattern: new RegExp(`(?<![a-z])${MONTH} {1,2}(\\d{1,2})(?:st|nd|rd|th)?,? {1,2}(\\d{4})(?!\\d)`, 'g'),
    toFact: ([, month, day, year]) => toDate(year, toMonth(month), day),
  },
  {
    pattern: new RegExp(`(?<!\\d)(\\d{1,2})(?:st|nd|rd|th)? {1,2}${MONTH},? {1,2}(\\d{4})(?!\\d)`, 'g'),
    toFact: ([, day, month, year]) => toDate(year, toMonth(month), day),
  },
  { pattern: CODE, toFact: ([code = '']) => toCode(code) },
  { pattern: QUANTITY, toFact: ([, sign, digits, scale, unit]) => toQuantity(digits, scale, sign ?? unit) },
  {
    pattern: /([一二两三四五六七八九]?十?[一二两三四五六七八九十])(天|周|个月|年|小时|分钟|元)/g,
    toFact: ([, han = '', unit]) => toQuantity(String(hanToNumber(han)), undefined, unit),
  },
];

/**
 * Returns the facts of a text, each in one form for every language and notation, without repeats, in order of shape: URL, email, date
 * (`2026-11-22`), code (`ppr9087`), quantity (`7 day`, `1299 cny`, `20 percent`, `30000`). At most {@link FACTS_MAX}.
 */
export function extractFacts(text: string): string[] {
  const facts = new Set<string>();
  let rest = normalizeText(text);
  for (const { pattern, toFact } of SHAPES) {
    rest = rest.replace(pattern, (...found: unknown[]) => {
      const fact = toFact(found as string[]);
      if (fact === undefined) return found[0] as string;
      if (facts.size < FACTS_MAX) facts.add(fact);
      return ' ; ';
    });
  }
  return [...facts];
}

function toDate(year = '', month = '', day = ''): string | undefined {
  if (Number(month) < 1 || Number(month) > 12 || Number(day) < 1 || Number(day) > 31) return undefined;
  return `${year}-${month.padStart(2, '0')}-${day.padStart(2, '0')}`;
}

const toMonth = (name = ''): string => String(MONTHS.indexOf(name) + 1);

/** Returns a code in its normal form. Version numbers keep their dots; every other joiner is removed, as in `tokenize`. */
const toCode = (code: string): string =>
  code.replace(/(?<=\d)[_-](?=\d)/g, '-').replace(/[_]|(?<!\d)[.-]|[.-](?!\d)/g, '');

function toQuantity(digits = '', scale: string | undefined, unit: string | undefined): string {
  const plain = digits.replaceAll(',', '');
  const isVersion = plain.split('.').length > 2;
  const isExact = plain.length <= 15 && !isVersion;
  const value =
    isExact && (scale !== undefined || unit !== undefined || plain.includes('.'))
      ? String(Number((Number(plain) * (SCALES[scale ?? ''] ?? 1)).toPrecision(15)))
      : plain;
  return unit === undefined ? value : `${value} ${UNITS[unit]}`;
}

function hanToNumber(han: string): number {
  const digit = (character: string | undefined): number =>
    character === '两' ? 2 : HAN_DIGITS.indexOf(character ?? '');
  const ten = han.indexOf('十');
  if (ten === -1) return digit(han.at(-1));
  return (ten === 0 ? 1 : digit(han[0])) * 10 + (han.length > ten + 1 ? digit(han.at(-1)) : 0);
}
