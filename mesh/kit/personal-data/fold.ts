import { foldTraditional } from '#kit/text/han-variants.ts';

/** Digits of other scripts: the first of ten that follow each other. */
const zeros = [0x0660, 0x06f0, 0x0966, 0xff10];
/** Characters that look like another one, or like a space. */
const others: Readonly<Record<string, string>> = {
  '\u00a0': ' ',
  '\u2002': ' ',
  '\u2003': ' ',
  '\u2009': ' ',
  '\u202f': ' ',
  '\u3000': ' ',
  '\u00ad': '\u200b',
  '\u200c': '\u200b',
  '\u200d': '\u200b',
  '\u2060': '\u200b',
  '\ufeff': '\u200b',
  '\u2010': '-',
  '\u2011': '-',
  '\u2012': '-',
  '\u2013': '-',
  '\u2014': '-',
  '\u2212': '-',
};
const foldable =
  /[\u00a0\u00ad\u0660-\u0669\u06f0-\u06f9\u0966-\u096f\u2002\u2003\u2009-\u2014\u202f\u2060\u2212\u3000\ufeff\uff01-\uff5e]/g;

/**
 * Returns a text in the form that detectors read: half-width characters, digits of Latin script, plain spaces and hyphens, simplified Chinese. Its
 * length stays, so a place in it is a place in the original.
 */
export function foldForDetection(text: string): string {
  return foldTraditional(text.replace(foldable, foldOne));
}

function foldOne(character: string): string {
  const other = others[character];
  if (other !== undefined) return other;
  const code = character.charCodeAt(0);
  const zero = zeros.find((first) => code >= first && code < first + 10);
  if (zero !== undefined) return String(code - zero);
  return code >= 0xff01 && code <= 0xff5e ? String.fromCharCode(code - 0xfee0) : character;
}

/** What people write between the digits of a number. */
export const separator = '[ \\-\\u200b]';

/** Returns a number without its separators, in upper case. */
export function compact(value: string): string {
  return value.replace(/[^0-9A-Za-z]/g, '').toUpperCase();
}
