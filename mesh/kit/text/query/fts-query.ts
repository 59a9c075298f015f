/**
 * The FTS5 `tokenize=` value for columns that hold `tokenize()` output joined with spaces. The `ascii` tokenizer takes every
 * character above U+007F as part of a token and folds nothing but A–Z, which our tokens never hold; with the five signs that
 * they may hold, FTS5 splits at the spaces and nowhere else. `unicode61` would strip marks and split at symbols.
 */
export const FTS5_TOKENIZE = `ascii tokenchars '.-%+#'`;

const ONE_HAN = /^\p{sc=Han}$/u;

/** Whether a word, searched alone, is searched as the beginning of words: a lone Han character, since text is indexed by bigrams. */
export function isPrefixWord(word: string): boolean {
  return ONE_HAN.test(word);
}

/**
 * An FTS5 MATCH expression that finds rows with any of the tokens. Quoting makes operators in user text inert. No tokens give
 * an expression that is valid and matches nothing. A lone Han character is searched as a prefix, because text is indexed by bigrams.
 */
export function toFtsQuery(tokens: readonly string[]): string {
  const quoted = tokens.map((token) => `"${token.replaceAll('"', '""')}"`);
  if (tokens.length === 1 && isPrefixWord(tokens[0] as string)) return `${quoted[0]}*`;
  return quoted.length === 0 ? '""' : quoted.join(' OR ');
}
