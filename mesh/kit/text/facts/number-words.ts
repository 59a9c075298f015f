import { hanNumerals, readHanNumber } from './han-numbers.ts';

/** Words with numerals that are no numbers. */
const hanExceptions =
  /十分(?!钟)|千万(?!元|块|别的)|(?<![零〇一二两三四五六七八九十百千万亿\d])万一(?![零〇一二两三四五六七八九十百千万亿个天])|一一|百度|百货|千牛|千瓦|千克|万能|万家|亿家|三方|四川|百分点|一百万分/g;
/** A single numeral is a number only beside one of these. */
const besideSingle =
  '个月|个|天|日|号|周|年|月|次|笔|张|件|台|块|元|毛|期|倍|折|岁|人|户|级|星|页|条|项|套|双|瓶|箱|包|斤|公斤|克|米|厘米|层|楼|季|成|股|位|名|家|辆|部|款|种|遍|趟|小时|分钟|分|秒|点(?!击|儿|也|都|不|没)|百|千|万|亿|盏|把|只|枚|支|本|门|科|工作日|%';

const han = new RegExp(`(百分之)?([${hanNumerals}]{1,12})(?:点([零〇一二三四五六七八九]{1,6}))?`, 'g');
const half = /(?<![\d一-鿿])半(?=年|个月|小时|天)|(?<=[过了需要等用内满])半(?=年|个月|小时|天)/g;
/** Zero-width space. */
const hidden = '\u200B';
const singleBefore = /第$|周$|星期$|礼拜$|\d$/;
const singleAfter = new RegExp(`^(?:${besideSingle})`);

const ones =
  'zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen'.split(
    ' ',
  );
const tens = 'twenty thirty forty fifty sixty seventy eighty ninety'.split(' ');
const ordinals = 'first second third fourth fifth sixth seventh eighth ninth tenth'.split(' ');
const small = [...ones, ...tens].sort((a, b) => b.length - a.length).join('|');
const english = new RegExp(
  `(?<![a-z])(?:${small})(?:[ -](?:and )?(?:${small}|hundred|thousand|million)){0,6}(?![a-z])`,
  'g',
);
/** "first" and "second" are mostly other words: first of all, a second. They stay, and are compared as words. */
const ordinal = new RegExp(`(?<![a-z])(?:${ordinals.slice(2).join('|')})(?= [a-z])`, 'g');
const unitAfterOne =
  /^[ -](?:more )?(?:day|week|month|year|hour|minute|second|dollar|yuan|euro|percent|time|item|piece|unit|business|working|hundred|thousand)/;

/**
 * A text in which numbers in words are digits: 三千 and "three thousand" are 3000, 百分之五 is 5%, 半年 is 0.5年. Words that only look
 * like numbers (一下, 万一, "which one") stay.
 */
export function numbersToDigits(text: string): string {
  return englishToDigits(hanToDigits(text));
}

function hanToDigits(text: string): string {
  const kept = text
    // A mark inside hides what only looks like a number; normal form has no invisible characters.
    .replace(hanExceptions, (word) => [...word].join(hidden))
    .replace(half, '0.5');
  // 一万一个月 is 10000 and one month.
  const parted = kept.replace(/(?<=[百千万亿])(?=[一二两三四五六七八九](?:个月|天|年|期|次|个小时|个人))/g, ' ');
  const replaced = parted.replace(han, (whole, percent?: string, numerals = '', fraction?: string, offset = 0) => {
    const value = readHanNumber(numerals);
    const before = parted.slice(Math.max(0, offset - 2), offset);
    const after = parted.slice(offset + whole.length, offset + whole.length + 4);
    const isNumber =
      percent !== undefined ||
      fraction !== undefined ||
      numerals.length > 1 ||
      singleBefore.test(before) ||
      singleAfter.test(after);
    // 百 千 万 亿 after a digit are its scale: 3万.
    const isScale = /\d$/.test(before) && /^[百千万亿]/.test(numerals);
    if (value === undefined || !isNumber || isScale) return whole;
    // The seventh weekday is written 日; the others by their numerals.
    if (/周$|星期$|礼拜$/.test(before) && numerals.length === 1) return whole;
    const decimals = fraction === undefined ? '' : `.${[...fraction].map((digit) => readHanNumber(digit)).join('')}`;
    // Digits before it are another number: 2000一天.
    return `${/\d$/.test(before) ? ' ' : ''}${value}${decimals}${percent === undefined ? '' : '%'}`;
  });
  return replaced.replaceAll(hidden, '');
}

function englishToDigits(text: string): string {
  return text
    .replace(english, (words: string, offset: number) => {
      if (words === 'one' && !unitAfterOne.test(text.slice(offset + 3, offset + 16))) return words;
      return String(readEnglishNumber(words));
    })
    .replace(ordinal, (word) => `${ordinals.indexOf(word) + 1}th`)
    .replace(/(?<![a-z])twice(?![a-z])/g, '2 times')
    .replace(/(?<![a-z])half(?= (?:a|an)(?![a-z]))/g, '0.5')
    .replace(/(?<![a-z])(?:a )?dozen(?![a-z])/g, '12');
}

function readEnglishNumber(words: string): number {
  let total = 0;
  let section = 0;
  for (const word of words.split(/[ -]/)) {
    if (ones.includes(word)) section += ones.indexOf(word);
    else if (tens.includes(word)) section += (tens.indexOf(word) + 2) * 10;
    else if (word === 'hundred') section = (section || 1) * 100;
    else if (word === 'thousand' || word === 'million') {
      total += (section || 1) * (word === 'thousand' ? 1e3 : 1e6);
      section = 0;
    }
  }
  return total + section;
}
