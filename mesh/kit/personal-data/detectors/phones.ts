import { parsePhoneNumberFromString } from 'libphonenumber-js/min';
import { compact } from '../fold.ts';
import { contextBefore, type Detector, type Finding, findAll } from './detector.ts';

const gap = '[ \\-\\u200b]{0,2}';
const noNumberBefore = '(?<![\\dA-Za-z_#=*]|[\\dA-Z][.\\-/])';
const noNumberAfter = '(?![\\dA-Za-z_=*%]|[.\\-/]\\d)';
const extension = '(?: ?(?:转|x|ext\\.?|-) ?\\d{1,6})?';

/** 11 digits that begin with 13 to 19, in any grouping of at least two digits. */
const mobile = new RegExp(
  `${noNumberBefore}(?:(?:\\(?\\+|00)?86\\)?${gap})?1[3-9]\\d(?:${gap}\\d{4}${gap}\\d{4}|${gap}\\d{3}${gap}\\d{5}|\\d${gap}\\d{3}${gap}\\d{4})(?![\\dA-Za-z_*]|[.]\\d)`,
  'g',
);
/** Area code and number, with a bracket or separator between them. */
const landline = new RegExp(
  `${noNumberBefore}(?:(?:\\+|00)?86${gap})?(?:\\(0?(?:10|2\\d|[3-9]\\d{2})\\)${gap}|0(?:10|2\\d|[3-9]\\d{2})[ \\-\\u200b]{1,2})[2-8]\\d{2,3}${gap}\\d{4}${extension}${noNumberAfter}`,
  'g',
);
const american = new RegExp(
  `${noNumberBefore}(?:\\+?1[ .-]?)?(?:\\(\\d{3}\\)[ .-]{0,2}\\d{3}[ .-]\\d{4}|\\d{3}([.-])\\d{3}\\1\\d{4})(?: ?(?:x|ext\\.?) ?\\d{1,6})?${noNumberAfter}`,
  'gi',
);
const international =
  /(?<![\dA-Za-z+=*)]|[\dA-Z]-|\d[.])\(?(?:\+|00)\(?[1-9]\d{0,3}\)?(?:[ ()/.\-\u200b]{0,2}\d){5,13}(?: ?(?:转|x|ext\.?) ?\d{1,6})?(?![\dA-Za-z=*%])/g;

/** A word that says that a number follows, what may be between, and anything like a number. */
const labelled = new RegExp(
  `(?:(?:phone|telephone|tel(?![a-z])|mobile|cell(?:phone)?|fax|whatsapp|hotline)(?: ?(?:number|no\\.?|#))?|(?:call|text|reach|contact|ring|dial) (?:me|us|him|her|them)(?: (?:at|on|back))?|answer(?:ing)? at|(?:messages?|sms|texts?) to|my (?:registered|prefer+ed|new|old)? ?(?:number)?(?: is)?(?= ?[\\d+(])|手机|电话|座机|固话|联系方式|传真|热线|致电|拨打|来电)` +
    `(?:号码?|码)?[^\\d+()]{0,12}` +
    `(?<number>[(+]{0,2}\\d[\\d ()./\\-\\u200b]{5,24}\\d(?: ?(?:转|x|ext\\.?) ?\\d{1,6})?)${noNumberAfter}`,
  'gi',
);
const date = /^\(?(?:19|20)\d{2}[-/. ](?:0?[1-9]|1[0-2])[-/. ](?:0?[1-9]|[12]\d|3[01])(?!\d)/;

const ip = /^(?:\d{1,3}\.){3}\d{1,3}(?![\d.])/;

/** Numbers of an organization by their form: 400, 800, 95xxx and short numbers. They are published, and no one's own. */
const serviceNumber = /^(?:(?:\+?86)?(?:400|800)\d{7}|(?:\+?86)?0?9[56]\d{3,6}|1(?:0|1|2)\d{1,4})$/;

/** Finds phone numbers: by their form in China and North America, by country code (libphonenumber), or after a word for a phone. */
export const findPhones: Detector = (text) => [
  ...findAll(text, 'PHONE', mobile, isNoId),
  ...findAll(text, 'PHONE', landline, isNoServiceLine),
  ...findAll(text, 'PHONE', american, (value) => !serviceNumber.test(compact(value)) && !directory.test(value)),
  ...findAll(
    text,
    'PHONE',
    international,
    (value) => parsePhoneNumberFromString(toDialled(value))?.isPossible() ?? false,
  ),
  ...findLabelled(text),
];

/** The exchange of directory assistance and of examples in North America. */
const directory = /(?:^|\D)555[ .-]\d{4}/;

// An id or a time can have the form of a number, and seven zeros in a row are an example.
const isNoId = (value: string, start: number, text: string): boolean =>
  !/0{7}/.test(value) &&
  !/(?:id|uid|ts|bytes|size|count|total|length|time|timestamp|key|code|version|序列号|编号)["'`”]?\s?[:=|]?\s?["'`“]?$/i.test(
    contextBefore(text, start, 16),
  );

// A landline after such a word is one of an organization.
const isNoServiceLine = (_: string, start: number, text: string): boolean =>
  !/(?:客服|投诉|举报|服务|咨询|监督)(?:电话|热线)?[是为：:\s]{0,3}$/.test(contextBefore(text, start, 12));

const toDialled = (value: string): string => value.replace(/^\(?(?:00|\+)\(?/, '+');

function findLabelled(text: string): Finding[] {
  const found: Finding[] = [];
  for (const match of text.matchAll(labelled)) {
    const number = match.groups?.number ?? '';
    const digits = compact(number.replace(/ ?(?:转|x|ext\.?) ?\d{1,6}$/i, ''));
    if (digits.length < 7 || digits.length > 15 || date.test(number) || ip.test(number) || serviceNumber.test(digits))
      continue;
    if (/^1\d{3}0{7}$/.test(digits) || /(?:客服|投诉|举报|服务|咨询|监督)$/.test(contextBefore(text, match.index, 4)))
      continue;
    const start = match.index + match[0].length - number.length;
    if (/account|card|账号|卡号|订单/i.test(contextBefore(text, start, 12))) continue;
    found.push({ kind: 'PHONE', start, end: start + number.length });
  }
  return found;
}
