/** A kind of personal data. It is the word in a mask, so it is in upper case. */
export type PersonalDataKind =
  | 'NATIONAL_ID'
  | 'ORGANIZATION_ID'
  | 'BANK_CARD'
  | 'IBAN'
  | 'PASSPORT'
  | 'PHONE'
  | 'EMAIL'
  | 'PLATE'
  | 'IP_ADDRESS'
  | 'ADDRESS'
  | 'PERSON'
  | 'NUMBER';

/** A value in a text, as a half-open range of UTF-16 code units. */
export interface Finding {
  kind: PersonalDataKind;
  start: number;
  end: number;
}

/**
 * Finds values of one or several kinds. `text` is in the form of `foldForDetection`, which has the length of the original. The time is linear
 * in the length of the text.
 */
export type Detector = (text: string) => Finding[];

/** Longest context that a detector reads before a value, in UTF-16 code units. */
const contextLength = 32;

/** Returns the text before a place: what a label such as "passport:" can be in. */
export function contextBefore(text: string, start: number, length = contextLength): string {
  return text.slice(Math.max(0, start - length), start);
}

/** Finds the matches of a global expression that pass a check. */
export function findAll(
  text: string,
  kind: PersonalDataKind,
  pattern: RegExp,
  isValid: (value: string, start: number, text: string) => boolean,
): Finding[] {
  const found: Finding[] = [];
  pattern.lastIndex = 0;
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    const [value] = match;
    if (isValid(value, match.index, text)) found.push({ kind, start: match.index, end: match.index + value.length });
    // What was no value may begin inside of this one.
    else pattern.lastIndex = match.index + 1 + leadingDigits(value);
  }
  return found;
}

// A run of digits is one number: a value cannot begin in its middle.
function leadingDigits(value: string): number {
  return Math.max(0, (/^\d+/.exec(value)?.[0].length ?? 0) - 1);
}
