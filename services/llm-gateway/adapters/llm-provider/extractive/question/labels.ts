/**
 * Numbers that name a thing instead of measuring it: exit code 44, Windows 11, 24 instalments, a three-day ticket. What the documents say
 * about another number is about another thing.
 */
const label =
  /(?<![\d.-])\d{1,4} ?(?:期(?![限间])|日[游票]|兆|号[线楼厅门馆店柜口]|d(?=[厅影])|g(?= ?[网套卡手信]))|(?<![a-z])(?:code|version|windows|android|ios|gate|terminal|platform|error|chapter) ?\d{1,4}(?![\d.,]|st|nd|rd|th)|(?:代码|错误码?|型号) ?\d{1,4}/g;

/** Returns whether a question in normal form names a thing by a number that none of the texts has. */
export function lacksLabel(plain: string, texts: readonly string[]): boolean {
  return Array.from(plain.matchAll(label), ([written]) => written).some((written) => {
    const number = /\d+/.exec(written)?.[0] ?? '';
    const after = /\d+ ?(\D*)$/.exec(written)?.[1] ?? '';
    const pattern = new RegExp(`(?<![\\d.])${number} ?${after === '' ? '(?![\\d.])' : after}`);
    return !texts.some((text) => pattern.test(text));
  });
}
