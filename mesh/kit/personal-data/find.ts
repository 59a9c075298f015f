import { findAddresses } from './detectors/addresses.ts';
import { findCards, findIbans } from './detectors/bank.ts';
import { findChineseIds, findCreditCodes } from './detectors/chinese-ids.ts';
import { findEmails, findIpAddresses } from './detectors/contacts.ts';
import type { Detector, Finding, PersonalDataKind } from './detectors/detector.ts';
import { findNames } from './detectors/names.ts';
import { createFindNationalIds } from './detectors/national-ids.ts';
import { createFindOwn } from './detectors/own-patterns.ts';
import { findPhones } from './detectors/phones.ts';
import { findPlates } from './detectors/plates.ts';
import { compact, foldForDetection } from './fold.ts';

/** Finds the personal data in a text: in order, without overlap. */
export type FindPersonalData = (text: string) => Finding[];

/** What is found. */
export interface FinderOptions {
  /** Kinds that are not searched for. */
  except?: readonly PersonalDataKind[];
  /** Expressions (RE2) of the tenant's own numbers, such as those of orders. */
  patterns?: readonly string[];
  /** Values that are published, and so not personal: phone numbers and e-mail addresses in any notation. */
  published?: Iterable<string>;
}

/** What replaces a value, in any form: it is not searched again. */
const maskPattern = /\[[A-Z_]{2,16}(?:_(?:[0-9]{1,4}|[0-9a-f]{8}|[a-z][a-z0-9]{0,7}_[0-9a-f]{58,2104}))?\]/g;

/** The more certain a kind, the earlier: of values that overlap, it names the whole. */
const precedence: readonly PersonalDataKind[] = [
  'NUMBER',
  'NATIONAL_ID',
  'ORGANIZATION_ID',
  'IBAN',
  'BANK_CARD',
  'EMAIL',
  'PASSPORT',
  'PHONE',
  'PLATE',
  'IP_ADDRESS',
  'ADDRESS',
  'PERSON',
];

/** Creates the search for personal data. Throws if a pattern of the tenant cannot be compiled. */
export function createFindPersonalData({
  except = [],
  patterns = [],
  published = [],
}: FinderOptions): FindPersonalData {
  const numbers: Detector[] = [
    findChineseIds,
    findCreditCodes,
    findIbans,
    findCards,
    findPhones,
    createFindNationalIds(),
    findPlates,
    findIpAddresses,
  ];
  const findOwn = patterns.length === 0 ? undefined : createFindOwn(patterns);
  const left = new Set(except);
  const known = new Set([...published].map(toPublished));
  return (text) => {
    const folded = foldForDetection(text);
    const found: Finding[] = [];
    if (/\d/.test(folded)) for (const detector of numbers) found.push(...detector(folded));
    if (folded.includes('@')) found.push(...findEmails(folded));
    if (findOwn !== undefined) found.push(...findOwn(folded));
    if (!left.has('ADDRESS')) found.push(...findAddresses(folded));
    if (!left.has('PERSON')) found.push(...findNames(folded));
    if (found.length === 0) return found;
    const masks = text.includes('[') ? [...text.matchAll(maskPattern)] : [];
    const isPrivate = ({ kind, start, end }: Finding) =>
      !left.has(kind) &&
      !masks.some(({ index, 0: mask }) => start >= index && end <= index + mask.length) &&
      (known.size === 0 || !known.has(toPublished(folded.slice(start, end))));
    return joinOverlapping(found.filter(isPrivate));
  };
}

/** Returns the form in which published values are compared: an address in lower case, or the digits of a number without its country code. */
export function toPublished(value: string): string {
  const folded = foldForDetection(value).trim().toLowerCase();
  if (folded.includes('@')) return folded;
  return compact(folded)
    .replace(/^(?:00)?86(?=\d{10,})/, '')
    .replace(/^0+/, '');
}

// What overlaps is one value: a part of it that stayed would be a leak.
function joinOverlapping(found: Finding[]): Finding[] {
  const sorted = found.sort((a, b) => a.start - b.start || b.end - a.end);
  const joined: Finding[] = [];
  for (const finding of sorted) {
    const last = joined.at(-1);
    if (last === undefined || finding.start >= last.end) joined.push({ ...finding });
    else {
      last.end = Math.max(last.end, finding.end);
      if (precedence.indexOf(finding.kind) < precedence.indexOf(last.kind)) last.kind = finding.kind;
    }
  }
  return joined;
}
