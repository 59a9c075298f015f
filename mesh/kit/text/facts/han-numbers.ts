const digits = new Map([...'零〇一二两三四五六七八九'].map((character) => [character, digitOf(character)]));
const scales = new Map([
  ['十', 10],
  ['百', 100],
  ['千', 1000],
]);
const largeScales = new Map([
  ['万', 1e4],
  ['亿', 1e8],
]);

/** Characters that numbers are written with. */
export const hanNumerals = '零〇一二两三四五六七八九十百千万亿';

function digitOf(character: string): number {
  return character === '〇' ? 0 : character === '两' ? 2 : '零一二三四五六七八九'.indexOf(character);
}

/**
 * Returns the value of a number in Chinese numerals (三千五 = 3500, 二〇二六 = 2026, 一亿零三万 = 100030000); `undefined` if the characters
 * are not a number. Numerals without a scale are read as digits, so that 二〇二六 is a year.
 */
export function readHanNumber(text: string): number | undefined {
  const characters = [...text];
  if (characters.length === 0 || !characters.every((character) => hanNumerals.includes(character))) return undefined;
  if (characters.every((character) => digits.has(character))) {
    return Number(characters.map((character) => digits.get(character)).join(''));
  }
  let total = 0;
  let section = 0;
  let digit: number | undefined;
  let lastScale = 10;
  for (const character of characters) {
    const small = scales.get(character);
    const large = largeScales.get(character);
    if (small !== undefined) {
      section += (digit ?? (section === 0 ? 1 : 0)) * small;
      lastScale = small;
      digit = undefined;
    } else if (large !== undefined) {
      total = (total + section + (digit ?? 0) || 1) * large;
      section = 0;
      lastScale = large;
      digit = undefined;
    } else {
      digit = digits.get(character);
      // 三千零五 is 3005, three thousand five hundred is 三千五.
      if (character === '零' || character === '〇') lastScale = 10;
    }
  }
  return total + section + (digit ?? 0) * (digit === undefined || lastScale === 10 ? 1 : lastScale / 10);
}
