/** Asking forms and words that hold a negative sign and deny nothing, and what replaces them. */
const harmless: readonly (readonly [pattern: RegExp, by: string])[] = [
  // 能不能, 是不是, 有没有, 可不可以, 还没还
  [/(\p{sc=Han})[不没](?=\1)/gu, ''],
  [/(\p{sc=Han}{2})[不没]\1/gu, '$1'],
  // 收到没有, 还了没, 可以退不
  [/(?<=\p{sc=Han})(?:没有?|不|未)(?=[\s?？。!！~,，]*$)/gu, ''],
  [
    /不好意思|不过|不仅|不但|差不多|不错|不客气|不管|不论|无论|不止|不断|不久|要不要|不然|不如|不妨|只不过|没关系|没事/g,
    '',
  ],
  [/别人|别的|特别|区别|级别|识别|性别|分别|类别|个别|鉴别|辨别|告别|差别/g, ''],
  [/未来|无线|无忧|无印|非常|除非|是非|非凡|莫非|非得|无限/g, ''],
];
const hanNegative =
  /(?:不|没|无|未|别|勿|非|莫|禁止|拒绝|难以)(?:法|有|能够?|可以|会|了|办法|到|给|让|被|再|想|用|得)*/g;

const englishNegative =
  /(?<![a-z])(?:not|never|cannot|without|none|nobody|nothing|neither|nor|unable|no(?!\.? ?\d)(?! longer than)|(?:can|could|do|does|did|is|are|was|were|has|have|had|wo|would|should|must|need|ai)(?:n'?t)|can't|non)(?![a-z])/g;

/** The negatives of a text. */
export interface Negatives {
  /** The text without forms that look like a negative but deny nothing. */
  plain: string;
  /** The end of each negative of `plain`, by language, in order. */
  han: number[];
  english: number[];
}

/** Finds the negatives of a text in normal form. */
export function findNegatives(text: string): Negatives {
  let plain = text.replaceAll('’', "'").replace(/not only/g, '');
  for (const [pattern, by] of harmless) plain = plain.replace(pattern, by);
  const ends = (pattern: RegExp) => [...plain.matchAll(pattern)].map((match) => match.index + match[0].length);
  return { plain, han: ends(hanNegative), english: ends(englishNegative) };
}

/** Whether a text in normal form denies something. */
export function hasNegative(text: string): boolean {
  const { han, english } = findNegatives(text);
  return han.length + english.length > 0;
}

/** A text in normal form without its negatives. */
export function withoutNegatives(text: string): string {
  return findNegatives(text).plain.replace(hanNegative, ' ').replace(englishNegative, ' ');
}
