import { compact, separator } from '../fold.ts';
import { contextBefore, type Detector, findAll } from './detector.ts';

/** Codes of provinces: the first two digits of a Chinese identity number (GB 11643). */
const provinces = new Set(
  '11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 61 62 63 64 65 71 81 82 83'.split(' '),
);
const weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const checks = '10X98765432';

const identity18 = new RegExp(
  `(?<![\\dA-Za-z])[1-8]\\d${separator}?\\d{4}${separator}?(?:1[89]|20)\\d{2}${separator}?[01]\\d${separator}?[0-3]\\d${separator}?\\d{3}${separator}?[\\dXx](?![\\dA-Za-z])`,
  'g',
);
const identity15 = /(?<![\dA-Za-z])[1-8]\d{7}[01]\d[0-3]\d{4}(?![\dA-Za-z])/g;
const identityContext = /身份证|证件号|公民身份|\bid ?(?:card|number|no)|identity/i;

/** Finds Chinese identity numbers: 18 digits by checksum and date (GB 11643), 15 digits by province, date and a word before them. */
export const findChineseIds: Detector = (text) => [
  ...findAll(text, 'NATIONAL_ID', identity18, (value) => isChineseId(compact(value))),
  ...findAll(text, 'NATIONAL_ID', identity15, (value, start) => {
    if (!provinces.has(value.slice(0, 2)) || !isDate(`19${value.slice(6, 12)}`)) return false;
    return identityContext.test(contextBefore(text, start));
  }),
];

/** Whether 18 characters are a Chinese identity number (GB 11643; ISO 7064 MOD 11-2). */
export function isChineseId(id: string): boolean {
  if (!provinces.has(id.slice(0, 2)) || !isDate(id.slice(6, 14))) return false;
  const sum = weights.reduce((total, weight, index) => total + weight * Number(id[index]), 0);
  return checks[sum % 11] === id[17];
}

function isDate(digits: string): boolean {
  const [year, month, day] = [digits.slice(0, 4), digits.slice(4, 6), digits.slice(6, 8)].map(Number);
  const date = new Date(Date.UTC(year ?? 0, (month ?? 0) - 1, day));
  return date.getUTCMonth() + 1 === month && date.getUTCDate() === day;
}

const creditAlphabet = '0123456789ABCDEFGHJKLMNPQRTUWXY';
const creditCode = new RegExp(
  `(?<![\\dA-Za-z])[1-9ANYany]${separator}?[1-9]${separator}?\\d{6}${separator}?[\\dA-HJ-NPQRTUWXYa-hj-npqrtuwxy]{9}${separator}?[\\dA-HJ-NPQRTUWXYa-hj-npqrtuwxy](?![\\dA-Za-z])`,
  'g',
);

/** Finds unified social credit codes of Chinese organizations, by checksum (GB 32100). */
export const findCreditCodes: Detector = (text) =>
  findAll(text, 'ORGANIZATION_ID', creditCode, (value) => isCreditCode(compact(value)));

/** Whether 18 characters are a unified social credit code (GB 32100: weights 3^i mod 31). */
export function isCreditCode(code: string): boolean {
  let sum = 0;
  for (let index = 0, weight = 1; index < 17; index++, weight = (weight * 3) % 31) {
    const value = creditAlphabet.indexOf(code[index] ?? '');
    if (value < 0) return false;
    sum += value * weight;
  }
  return creditAlphabet[(31 - (sum % 31)) % 31] === code[17];
}
