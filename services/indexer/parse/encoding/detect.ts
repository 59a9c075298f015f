import { analyse } from 'chardet';

// Which encoding bytes are in, if nothing names it.

/** An encoding that was found by the bytes. */
export interface Encoding {
  /** A label that TextDecoder knows. */
  charset: string;
  /** Whether another encoding is nearly as likely. */
  isDoubtful: boolean;
}

/** Bytes that a statistical detection reads. */
const sampleBytes = 64 << 10;
/** Below this confidence of 100, and with a runner-up that is nearer than this distance, a detection is doubtful. */
const sureConfidence = 60;
const sureDistance = 20;

/** Names of chardet that differ from TextDecoder's labels. ISO 8859-1 of the web is windows-1252. */
const labels: Readonly<Record<string, string>> = { 'ISO-8859-1': 'windows-1252' };
const detectable = new Set(
  'GB18030 Big5 Shift_JIS EUC-JP EUC-KR ISO-2022-JP KOI8-R ISO-8859-1 ISO-8859-2 ISO-8859-5 ISO-8859-7 windows-1250 windows-1251 windows-1252 windows-1253'.split(
    ' ',
  ),
);

/** Returns the encoding that a byte order mark names; `undefined` without one. */
export function markOf(bytes: Uint8Array): string | undefined {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return 'utf-8';
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be';
  return undefined;
}

/**
 * Returns the encoding of the bytes: their mark, UTF-16 by its zero bytes, UTF-8 if they are valid, otherwise the likeliest one in
 * which they are valid. `undefined` if there is none, or if most are UTF-8: the bytes are damaged. `isWhole`: the last character is not cut.
 */
export function detectEncoding(bytes: Uint8Array, isWhole: boolean): Encoding | undefined {
  const marked = markOf(bytes) ?? utf16Of(bytes, isWhole);
  if (marked !== undefined) return { charset: marked, isDoubtful: false };
  if (isBinary(bytes)) return undefined;
  if (isValid(bytes, 'utf-8', isWhole)) return { charset: 'utf-8', isDoubtful: false };
  if (isDamagedUtf8(bytes)) return undefined;
  if (isWestern(bytes)) return { charset: 'windows-1252', isDoubtful: false };
  const candidates = analyse(bytes.subarray(0, sampleBytes)).filter(
    ({ name, confidence }) => detectable.has(name) && confidence >= 10,
  );
  const [best, next] = candidates
    .map(({ name, confidence }) => ({ charset: (labels[name] ?? name).toLowerCase(), confidence }))
    .filter(({ charset }) => isPlausible(bytes, charset, isWhole))
    .map((candidate) => ({ ...candidate, confidence: candidate.confidence * commonShare(bytes, candidate.charset) }))
    .sort((one, other) => other.confidence - one.confidence);
  if (best === undefined) return undefined;
  const isDoubtful =
    best.confidence < sureConfidence || (next !== undefined && best.confidence - next.confidence < sureDistance);
  return { charset: best.charset, isDoubtful };
}

/** Reports whether the bytes are text in the encoding. Throws RangeError if the encoding is not known. */
export function isValid(bytes: Uint8Array, charset: string, isWhole = true): boolean {
  const decoder = new TextDecoder(charset, { fatal: true });
  try {
    decoder.decode(bytes, { stream: !isWhole });
    return true;
  } catch {
    return false;
  }
}

/** First bytes of the characters that most texts consist of: kana, and the more frequent half of the ideographs or syllables. */
const commonLeads: Readonly<Record<string, readonly (readonly [from: number, to: number])[]>> = {
  gb18030: [[0xb0, 0xd7]],
  big5: [[0xa4, 0xc6]],
  shift_jis: [
    [0x82, 0x83],
    [0x88, 0x97],
  ],
  'euc-jp': [
    [0xa4, 0xa5],
    [0xb0, 0xcf],
  ],
  'euc-kr': [[0xb0, 0xc8]],
};
/** First bytes of kana, without which hardly anything is Japanese. */
const kanaLeads: Readonly<Record<string, readonly (readonly [from: number, to: number])[]>> = {
  shift_jis: [[0x82, 0x83]],
  'euc-jp': [[0xa4, 0xa5]],
};
const withoutKana = 0.3;

/** First bytes of punctuation, of which every text has some. */
const punctuationLeads: readonly (readonly [number, number])[] = [
  [0x81, 0x81],
  [0xa1, 0xa3],
];

/** Returns the share of characters of two bytes that are common in the encoding, 0 to 1; 1 for encodings of one byte. */
function commonShare(bytes: Uint8Array, charset: string): number {
  const common = commonLeads[charset];
  if (common === undefined) return 1;
  const isIn = (ranges: readonly (readonly [number, number])[], byte: number) =>
    ranges.some(([from, to]) => byte >= from && byte <= to);
  let count = 0;
  let commonCount = 0;
  const kana = kanaLeads[charset];
  let hasKana = false;
  for (let index = 0; index < Math.min(bytes.byteLength, sampleBytes); index++) {
    const lead = bytes[index] as number;
    if (lead < 0x80) continue;
    index++;
    if (isIn(punctuationLeads, lead)) continue;
    count++;
    if (isIn(common, lead)) commonCount++;
    if (kana !== undefined && isIn(kana, lead)) hasKana = true;
  }
  const share = count === 0 ? 1 : commonCount / count;
  return kana === undefined || hasKana ? share : share * withoutKana;
}

/** Text in a wrong encoding is often valid, with controls, private characters, or symbols between its letters. */
function isPlausible(bytes: Uint8Array, charset: string, isWhole: boolean): boolean {
  if (!isValid(bytes, charset, isWhole)) return false;
  const text = new TextDecoder(charset).decode(bytes.subarray(0, sampleBytes));
  const strange = text.match(/[\u0080-\u009F\uE000-\uF8FF]/g)?.length ?? 0;
  const others = text.match(/[^\p{ASCII}]/gu) ?? [];
  const letters = others.filter((character) => /[\p{L}\p{N}\p{P}\p{Sc}\p{Zs}]/u.test(character)).length;
  // Any few bytes are valid in an encoding of one byte.
  const isSure = /^(?:gb|big5|shift|euc|iso-2022|utf-16)/i.test(charset) || (others.length >= 8 && isOfWords(text));
  return isSure && strange === 0 && letters >= others.length * 0.6;
}

/** Controls that no text has; others are tabs, ends of lines and pages, and the escapes of ISO-2022. */
function isBinary(bytes: Uint8Array): boolean {
  const sample = bytes.subarray(0, sampleBytes);
  let controlCount = 0;
  for (const byte of sample) if (byte < 0x09 || (byte > 0x0d && byte < 0x20 && byte !== 0x1b)) controlCount++;
  return controlCount >= 8 && controlCount > sample.byteLength / 50;
}

/** Bytes of another encoding, read one by one, are letters in no case and marks inside of words. */
function isOfWords(text: string): boolean {
  let pairs = 0;
  let strangePairs = 0;
  for (const [, before = '', after = ''] of text.matchAll(/(?=([^\p{ASCII}\s])([^\p{ASCII}\s]))/gu)) {
    pairs++;
    const isStrange = isLetter(before) ? !isLetter(after) || isCapitalAfterSmall(before, after) : isLetter(after);
    if (isStrange) strangePairs++;
  }
  return strangePairs <= pairs * 0.3;
}

const isLetter = (character: string) => /\p{L}/u.test(character);
const isCapitalAfterSmall = (before: string, after: string) => /\p{Ll}/u.test(before) && /\p{Lu}/u.test(after);

/** Characters of three bytes hardly occur by chance: text that has some, and little else beyond ASCII, is UTF-8 with damaged bytes. */
function isDamagedUtf8(bytes: Uint8Array): boolean {
  const sample = bytes.subarray(0, sampleBytes);
  const isNext = (byte = 0) => byte >= 0x80 && byte < 0xc0;
  let highCount = 0;
  let threeCount = 0;
  for (const [index, byte] of sample.entries()) {
    if (byte < 0x80) continue;
    highCount++;
    if (byte >= 0xe0 && byte < 0xf0 && isNext(sample[index + 1]) && isNext(sample[index + 2])) threeCount++;
  }
  return threeCount >= 3 && threeCount * 3 >= highCount * 0.6;
}

/** Zero bytes at one parity: ASCII in UTF-16 without a mark. */
function utf16Of(bytes: Uint8Array, isWhole: boolean): string | undefined {
  const zeros = [0, 0];
  const length = Math.min(bytes.byteLength, sampleBytes);
  for (let index = 0; index < length; index++) if (bytes[index] === 0) zeros[index % 2] = (zeros[index % 2] ?? 0) + 1;
  const [even = 0, odd = 0] = zeros;
  if (Math.max(even, odd) < Math.max(4, length / 10)) return undefined;
  const charset = odd > even ? 'utf-16le' : 'utf-16be';
  // Some ideographs have a zero byte at the other parity.
  const [most, least] = [Math.max(even, odd), Math.min(even, odd)];
  return least <= most / 20 || (least <= most / 4 && isPlausible(bytes, charset, isWhole)) ? charset : undefined;
}

/** Accented letters and typographic marks between ASCII, one at a time or two in a word: no encoding of two bytes looks like that. */
function isWestern(bytes: Uint8Array): boolean {
  const sample = bytes.subarray(0, sampleBytes);
  let high = 0;
  let single = 0;
  for (let index = 0; index < sample.byteLength; index++) {
    if ((sample[index] as number) < 0x80) continue;
    high++;
    const isAlone = (sample[index - 1] ?? 0) < 0x80 && (sample[index + 1] ?? 0) < 0x80;
    if (isAlone && isWesternMark(sample[index] as number, sample[index - 1], sample[index + 1])) single++;
    if (isAccentedPair(sample, index)) single += 2;
  }
  return high > 0 && high < sample.byteLength / 4 && single >= high * 0.7;
}

/** Two accented letters inside a word, as in "Größe". */
function isAccentedPair(sample: Uint8Array, start: number): boolean {
  const [before, first = 0, second = 0, after] = [-1, 0, 1, 2].map((offset) => sample[start + offset]);
  return first >= 0xc0 && second >= 0xdf && isSmallLetter(before) && isSmallLetter(after);
}

const isSmallLetter = (byte = 0) => byte >= 0x61 && byte <= 0x7a;

function isWesternMark(byte: number, before: number | undefined, after: number | undefined): boolean {
  const isLetter = (other: number | undefined) => other !== undefined && /[A-Za-z]/.test(String.fromCharCode(other));
  // Euro sign, quotation marks, dashes, no-break space, pound, section, copyright, degree and similar.
  if (
    [0x80, 0x91, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0xa0, 0xa3, 0xa7, 0xa9, 0xab, 0xae, 0xb0, 0xb7, 0xbb].includes(
      byte,
    )
  )
    return true;
  return byte >= 0xc0 && (isLetter(before) || isLetter(after));
}
