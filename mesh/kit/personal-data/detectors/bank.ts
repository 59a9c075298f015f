import { compact, separator } from '../fold.ts';
import { contextBefore, type Detector, findAll } from './detector.ts';

/** Groups of at least three digits: a row of small numbers in a table is no card. */
const card = new RegExp(
  `(?<![\\dA-Za-z]|\\d[.]|[\\dA-Za-z][-_])\\d{3,19}(?:${separator}\\d{3,7}){0,5}(?![\\dA-Za-z]|[.]\\d)`,
  'g',
);
const spelled = new RegExp(`(?<![\\dA-Za-z])\\d(?:${separator}\\d){11,18}(?![\\dA-Za-z])`, 'g');
const cardContext = /card|\bcc\b|credit|debit|visa|master|amex|卡号|银行卡|信用卡|借记卡|储蓄卡|账号|帐号/i;

/** Issuers by the first digits and the lengths of their cards (ISO/IEC 7812; UnionPay and Chinese banks). */
const issuers: readonly (readonly [prefix: RegExp, lengths: readonly number[]])[] = [
  [/^4/, [16, 19]],
  [/^(?:5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)/, [16]],
  [/^3[47]/, [15]],
  [/^(?:62|81)/, [16, 17, 18, 19]],
  [/^(?:60|64[4-9]|65|9558)/, [16, 19]],
  [/^35(?:2[89]|[3-8])/, [16]],
  [/^3(?:0[0-5]|[689])/, [14, 16]],
];

/** Finds numbers of bank cards, by checksum (Luhn, ISO/IEC 7812-1) and issuer; after a word for a card, of any issuer. */
export const findCards: Detector = (text) => {
  const isValid = (value: string, start: number) => {
    const digits = compact(value);
    if (digits.length < 12 || digits.length > 19 || !isLuhn(digits)) return false;
    return isOfIssuer(digits) || cardContext.test(contextBefore(text, start));
  };
  return [...findAll(text, 'BANK_CARD', card, isValid), ...findAll(text, 'BANK_CARD', spelled, isValid)];
};

function isOfIssuer(digits: string): boolean {
  return issuers.some(([prefix, lengths]) => lengths.includes(digits.length) && prefix.test(digits));
}

/** Whether digits pass the Luhn check. */
export function isLuhn(digits: string): boolean {
  let sum = 0;
  for (let index = digits.length - 1, isDouble = false; index >= 0; index--, isDouble = !isDouble) {
    const digit = digits.charCodeAt(index) - 48;
    sum += !isDouble ? digit : digit > 4 ? digit * 2 - 9 : digit * 2;
  }
  // Zeros pass, but are no card.
  return sum > 0 && sum % 10 === 0;
}

/** Length of an IBAN by country (ISO 13616 registry). */
const ibanLengths: Readonly<Record<string, number>> = Object.fromEntries(
  (
    'AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 FO18 FR27 GB22 GE22 GI23 GL18 ' +
    'GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 ' +
    'PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SE24 SI19 SK24 SM27 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20'
  )
    .split(' ')
    .map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]),
);
const iban = new RegExp(
  `(?<![\\dA-Za-z])[A-Za-z]{2}\\d{2}(?:${separator}?[\\dA-Za-z]{4}){2,7}(?:${separator}?[\\dA-Za-z]{1,3})?(?![\\dA-Za-z])`,
  'g',
);

/** Finds IBANs, by country, length and checksum (ISO 13616, ISO 7064 MOD 97-10). */
export const findIbans: Detector = (text) => {
  const found = findAll(text, 'IBAN', iban, (value) => ibanIn(value) !== undefined);
  // A word can follow the number after a space, as if it were a group of it.
  return found.map((finding) => {
    const value = text.slice(finding.start, finding.end);
    return { ...finding, end: finding.start + (ibanIn(value) ?? value.length) };
  });
};

/** Returns the length of the IBAN at the start of a text, with its separators; `undefined` if there is none. */
function ibanIn(value: string): number | undefined {
  const length = ibanLengths[value.slice(0, 2).toUpperCase()] ?? 0;
  let end = 0;
  for (let count = 0; count < length; end++) {
    if (end >= value.length) return undefined;
    if (/[\dA-Za-z]/.test(value[end] ?? '')) count++;
  }
  if (length === 0 || /^[\dA-Za-z]/.test(value.slice(end))) return undefined;
  return isMod97(compact(value.slice(0, end))) ? end : undefined;
}

function isMod97(iban: string): boolean {
  let rest = 0;
  for (const character of iban.slice(4) + iban.slice(0, 4)) {
    const digits = Number.parseInt(character, 36);
    rest = (rest * (digits > 9 ? 100 : 10) + digits) % 97;
  }
  return rest === 1;
}
