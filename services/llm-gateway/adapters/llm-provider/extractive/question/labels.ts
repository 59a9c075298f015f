/**
 * Numbers that name a thing instead of measuring it: exit code 44, Windows 11, 24 instalments, a three-day ticket. What the documents say
 * about another number is about another thing.
 */
const label =
  /(?<![\d.-])\d{1,4} ?(?:期(?![限间])|日[游票]|兆|号[线楼厅门馆店柜口]|d(?=[厅影])|g(?= ?[网套卡手信]))|(?<![a-z])(?:code|version|windows|android|ios|gate|terminal|platform|error|chapter) ?\d{1,4}(?![\d.,]|st|nd|rd|th)|(?:代码|错误码?|型号) ?\d{1,4}/g;

/** Sizes that distinguish things: a 45 minute lesson, a 6 square metre room. The others may answer if none has this size. */
const size =
  /(?<![\d.,-])(\d{1,4})[ -](minute|hour|day|night|week|month|person|seat|piece|square met(?:re|er)|lit(?:re|er)|inch) (?!before|after|ago|late|early|in|ahead|old|and|or|of|for|from|to|at|on|if|period|notice|polic|return)[a-z]{3,}/g;
const unitWords = new Map([
  ['minute', 'min(?:ute)?'],
  ['square metre', '(?:m2|m²|square met)'],
  ['square meter', '(?:m2|m²|square met)'],
]);

/** Returns what matches each size by which a question in normal form names a thing, in texts in normal form. */
export const sizesOf = (plain: string): RegExp[] =>
  Array.from(
    plain.matchAll(size),
    ([, number, unit]) => new RegExp(`(?<![\\d.,])${number}[ -]?${unitWords.get(unit ?? '') ?? unit}`),
  );

/** Returns what matches each thing that a question in normal form names by a number, in texts in normal form. */
export function labelsOf(plain: string): RegExp[] {
  return Array.from(plain.matchAll(label), ([written]) => {
    const number = /\d+/.exec(written)?.[0] ?? '';
    const after = /\d+ ?(\D*)$/.exec(written)?.[1] ?? '';
    return new RegExp(`(?<![\\d.])${number} ?${after === '' ? '(?![\\d.])' : after}`);
  });
}
