import { foldTraditional } from '../han-variants.ts';
import { normalizeText } from '../normalize.ts';
import { numbersToDigits } from './number-words.ts';

/** 有两点需要注意: a count of points and no time of day. */
const POINTS =
  /(?<![上下中]午|早上|晚上|凌晨|清晨|百分之)[一二两三四五六]点(?![半整钟到至前后以之左\d零一二三四五六七八九])/g;
/** 5ghz两个: the number is no part of the word before it. */
const AFTER_LATIN = /(?<=[a-z])(?=[一二两三四五六七八九十百千])/g;
/** Half of a unit: 在半天内, 半小时. After a unit (一年半) it belongs to that. */
const HALF = /(?<![\d个年月天时一二两三四五六七八九十])半(?=个?小时|天|年|个月)/g;
/** 10 万元: the scale belongs to the number before it. */
const SPACED_SCALE = /(?<=\d) {1,2}(?=[百千万亿])/g;
/** Numbers of list items, which state nothing: `1.`, `2)`, `3、`. */
const ITEM_NUMBER = /^([ \t]*(?:[-*+>#]+[ \t]+)?)[(（]?\d{1,2}(?:[.)）](?=\s|\p{sc=Han})|、)/gmu;
const UNIT =
  '个工作日|工作日|个月|小时|分钟|[天周年元块克秒点]|公斤|千克|厘米|公里|%|(?:(?:business|working|calendar) )?days?|hours?|minutes?|seconds?|weeks?|months?|years?|percent|kg|km|cm|g|yuan|dollars?|euros?';
/** `3–5 days`, 3到5天: the unit belongs to both ends. */
const RANGE = new RegExp(
  `(?<![\\d.,-])(\\d{1,6}(?:\\.\\d{1,4})?)\\s?(?:-|–|—|~|to|至|到|and|或|or)\\s?(\\d{1,6}(?:\\.\\d{1,4})?)[\\s-]?(${UNIT})(?![a-z])`,
  'g',
);
/** `25 points`: a count of something, written as such, so that it is not read as 25 of any unit. */
const COUNT = new RegExp(
  `(?<=\\d) (?!(?:of )?(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec))(?!(?:[a-z-]{1,20} ){0,2}(?:${UNIT}|usd|cny|eur)(?![a-z]))(?=[a-z]{4,})`,
  'g',
);
const CURRENCY_SIGNS: Readonly<Record<string, string>> = {
  cny: '¥',
  rmb: '¥',
  人民币: '¥',
  usd: '$',
  us$: '$',
  eur: '€',
  gbp: '£',
};
/** The currency before the number: CNY 12. */
const CURRENCY_FIRST = /(?<![a-z])(cny|rmb|人民币|usd|us\$|eur|gbp)\s?(?=\d)/g;
const CLOCK_ENGLISH = /(?<![\d:])(\d{1,2})(?::(\d{2}))?\s?([ap])\.?m(?:\.|(?![a-z]))/g;
const CLOCK_HAN =
  /(凌晨|清晨|早上|上午|中午|下午|傍晚|晚上)\s?(\d{1,2})(?:[:点](\d{1,2}|半)?分?)(?:\s?[-–~到至]\s?(\d{1,2})[:点](\d{1,2}|半)?分?)?/g;

/** In order; each is bounded, so that a match stays linear. */
const REPLACEMENTS: readonly (readonly [pattern: RegExp, by: string])[] = [
  // "Always", and no date.
  [/(?<!\d)24\/7(?!\d)/g, ' '],
  [ITEM_NUMBER, '$1'],
  [/(\d) and a half(?![a-z])/g, '$1.5'],
  [/(?<![\d.])(\d{1,3})个半(?=小时|月)/g, '$1.5个'],
  [/(?<![\d.])(\d{1,3})(年|个月|天|个?小时)半/g, '$1.5$2'],
  [/0\.5 an? (?=[a-z])/g, '0.5 '],
  [RANGE, '$1$3 $2$3'],
  [/(?<=\d)[\s-]{0,2}(?:business|working|work)[\s-]?days?(?![a-z])/g, '个工作日'],
  [COUNT, '件 '],
  [/(?<=\d)\s?(?:calendar|natural|自然)\s?(?:days?(?![a-z])|[日天])/g, '天'],
];

/**
 * A text in one notation, for reading its facts: normal form, numbers as digits, the unit at both ends of a range, currency signs before their
 * numbers, and times of day of 24 hours.
 */
export function unifyNotation(text: string): string {
  let unified = numbersToDigits(
    normalizeText(text, foldTraditional)
      .replace(POINTS, ' ')
      .replace(AFTER_LATIN, ' ')
      .replace(SPACED_SCALE, '')
      .replace(HALF, '0.5'),
  );
  for (const [pattern, by] of REPLACEMENTS) unified = unified.replace(pattern, by);
  return unified
    .replace(CURRENCY_FIRST, (_, name: string) => CURRENCY_SIGNS[name] ?? '')
    .replace(CLOCK_ENGLISH, (_, hour: string, minute: string | undefined, half: string) =>
      clockOf(half === 'a' && hour === '12' ? '0' : hour, minute, half === 'p'),
    )
    .replace(CLOCK_HAN, (_, part: string, hour: string, minute?: string, endHour?: string, endMinute?: string) => {
      const isLate = /中午|下午|傍晚|晚上/.test(part);
      const end = endHour === undefined ? '' : ` ${clockOf(endHour, endMinute, isLate)}`;
      return `${clockOf(hour, minute, isLate && !(part === '中午' && Number(hour) > 10))}${end}`;
    });
}

function clockOf(hour: string, minute = '00', isLate: boolean): string {
  const late = isLate && Number(hour) < 12 ? Number(hour) + 12 : Number(hour);
  return `${late}:${minute === '半' ? '30' : minute.padStart(2, '0')}`;
}
