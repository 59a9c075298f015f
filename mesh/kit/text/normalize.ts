/** Cf: zero-width, bidi and soft-hyphen characters; FE00–FE0F: variation selectors (emoji or text look of the same character). */
const INVISIBLE = /\p{Cf}|[\uFE00-\uFE0F]/gu;
/** Control characters other than tab, line feed and carriage return. */
const CONTROL = /(?![\t\n\r])\p{Cc}/gu;

export type FoldHan = (text: string) => string;

/**
 * The one form in which texts are compared: Unicode NFKC (full width to half width, ligatures, ℃, ①), lower case, no invisible
 * characters, control characters as spaces, lone surrogates as U+FFFD. Idempotent. Offsets are not kept.
 *
 * @param foldHan maps Han variants, such as traditional to simplified. Index and queries must use the same one. @default none
 */
export function normalizeText(text: string, foldHan?: FoldHan): string {
  const visible = text.toWellFormed().replace(INVISIBLE, '').replace(CONTROL, ' ');
  // Lower case can undo a composition (İ), so NFKC comes last as well.
  const folded = visible.normalize('NFKC').toLowerCase().normalize('NFKC');
  return foldHan === undefined ? folded : foldHan(folded);
}
