/**
 * Numbers that name a thing instead of measuring it: exit code 44, Windows 11, 24 instalments, a three-day ticket. What the documents say
 * about another number is about another thing.
 */
const label =
  /(?<![\d.-])\d{1,4} ?(?:期(?![限间])|日[游票]|兆|号[线楼厅门馆店柜口]|d(?=[厅影])|g(?= ?[网套卡手信]))|(?<![a-z])(?:code|version|windows|android|ios|gate|terminal|platform|error|chapter) ?\d{1,4}(?![\d.,]|st|nd|rd|th)|(?:代码|错误码?|型号) ?\d{1,4}/g;

/** Returns what matches each thing that a question in normal form names by a number, in texts in normal form. */
export function labelsOf(plain: string): RegExp[] {
  return Array.from(plain.matchAll(label), ([written]) => {
    const number = /\d+/.exec(written)?.[0] ?? '';
    const after = /\d+ ?(\D*)$/.exec(written)?.[1] ?? '';
    return new RegExp(`(?<![\\d.])${number} ?${after === '' ? '(?![\\d.])' : after}`);
  });
}
