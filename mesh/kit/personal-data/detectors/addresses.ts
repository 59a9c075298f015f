import { contextBefore, type Detector, type Finding, findAll } from './detector.ts';

/** The number of a house, at which the search for a Chinese address begins, and the dwelling after it. */
const house =
  /\d{1,5}(?:-\d{1,4})?[号弄](?:[\p{sc=Han}\dA-Za-z#\- ]{0,16}?(?:室|楼|单元|栋|幢|座|层|户)){0,4}(?:\d{1,4}[室号]?)?/gu;
/** The street and what it is in, before the number. */
const street = /[\p{sc=Han}\d]{1,40}(?:路|街|大道|巷|弄|胡同|道|村|苑|园|小区)[\p{sc=Han}]{0,4}$/u;
/** What is no part of an address, before it. */
const lead = /^.*(?:收货|收件|寄[到往给]|家住|住址|住在|现住|地址|送[到往]|户籍|籍贯|邮寄|位于|我在)(?:[是为在到])?/u;
const dwelling = /室|单元|栋|幢|户/;

const english =
  /(?<![\dA-Za-z])\d{1,6}[A-Za-z]?,? (?:[NSEW]\.? )?(?:[\p{Lu}][\p{L}'.-]{1,20} |\d{1,3}(?:st|nd|rd|th) ){1,4}(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Way|Place|Pl|Square|Sq|Terrace|Circle|Crescent|Parkway|Pkwy|Highway|Hwy)(?![\p{L}])\.?(?:,?\s{1,3}(?:Apt|Apartment|Suite|Ste|Unit|Floor|Fl|#)\.? ?[\dA-Za-z-]{1,6})?(?:,?\s{1,3}[\p{Lu}][\p{L}'-]{1,20}(?: [\p{Lu}][\p{L}'-]{1,20}){0,2})?(?:,?\s{1,3}[A-Z]{2})?(?:,?\s{1,3}\d{5}(?:-\d{4})?)?/gu;

/** An apartment or suite after the number and street, a post box, and streets whose number follows. */
const dwellings =
  /(?<![\dA-Za-z])\d{1,6} \p{Lu}[\p{L}'.-]{1,20}(?: [\p{L}\d'.-]{1,20}){0,3},?\s{1,4}(?:Apt|Apartment|Suite|Ste|Unit)\.? ?[\dA-Za-z-]{1,6}(?:,?\s{1,4}[\p{Lu}][\p{L}'-]{1,24}(?: [\p{Lu}][\p{L}'-]{1,20}){0,2})?(?:\s{0,3},?\s{1,3}[A-Z]{2}(?![A-Za-z]))?(?:,?\s{1,4}(?:\p{Lu}\p{L}{2,20}(?: \p{Lu}\p{L}{2,20}){0,2} )?\d{4,6})?/gu;
const box =
  /(?<![\dA-Za-z])(?:P\.? ?O\.? Box|PSC \d{1,5},? Box|Unit \d{1,5} Box) \d{1,6}(?:,?\s{1,3}(?:APO|FPO|DPO) [A-Z]{2} \d{5})?/giu;
const numberLast =
  /(?<![\p{L}])(?:(?:Rua|Calle|Via|Viale|Rue|Avenida|Avenue|Piazza|Praça|Plaza|ul\.) (?:\p{L}[\p{L}'.-]{0,20} ?){1,5},? \d{1,5}|\p{Lu}[a-zäöüåøæéß-]{2,24}(?:stra(?:ß|ss)e|str\.|gasse|platz|gatan|gata|vägen|vej|vegen|gade|katu|kuja|laan|straat|utca) \d{1,4}[a-z]?)(?![\p{L}\d])/gu;

/** Finds street addresses: Chinese ones after a word for an address or with a dwelling, English ones with a kind of street. */
export const findAddresses: Detector = (text) => [
  ...findChinese(text),
  ...(/\d/.test(text) ? western.flatMap((pattern) => findAll(text, 'ADDRESS', pattern, () => true)) : []),
];

const western = [english, dwellings, box, numberLast];

function findChinese(text: string): Finding[] {
  if (!/[号弄]/.test(text)) return [];
  return [...text.matchAll(house)].flatMap(({ 0: value, index }): Finding[] => {
    const before = street.exec(contextBefore(text, index, 48))?.[0];
    if (before === undefined) return [];
    const introduction = lead.exec(before)?.[0] ?? '';
    const start = index - before.length + introduction.length;
    const isSomeones = introduction !== '' || dwelling.test(value) || lead.test(contextBefore(text, start, 8));
    return isSomeones ? [{ kind: 'ADDRESS', start, end: index + value.length }] : [];
  });
}
