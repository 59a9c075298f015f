const charsets = new Map<number, string>([
  [866, 'ibm866'],
  [874, 'windows-874'],
  [932, 'shift_jis'],
  [936, 'gb18030'],
  [949, 'euc-kr'],
  [950, 'big5'],
  [10000, 'macintosh'],
  [20127, 'windows-1252'],
  [20866, 'koi8-r'],
  [28591, 'windows-1252'],
  [50220, 'iso-2022-jp'],
  [51932, 'euc-jp'],
  [51949, 'euc-kr'],
  [52936, 'gb18030'],
  [54936, 'gb18030'],
  [65001, 'utf-8'],
]);

/** Returns the encoding of a code page of Windows, as TextDecoder calls it; `undefined` if it is not known. */
export function charsetOfCodePage(codePage: number): string | undefined {
  if (codePage >= 1250 && codePage <= 1258) return `windows-${codePage}`;
  return charsets.get(codePage);
}
