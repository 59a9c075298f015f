/** Runs that byte-pair encoders treat alike. */
const RUN = /([\p{sc=Han}]+)|([a-zA-Z]+)|(\d+)|(\s+)|([!-~]+)|([^\s!-~\p{sc=Han}]+)/gu;

/** An English word up to this length is mostly one token; what is beyond it costs extra. In letters. */
const PLAIN_WORD_LENGTH_MAX = 11;

/**
 * How many tokens a text takes in a prompt: a quick upper estimate, for budgets, from the kinds of characters in it. Linear in
 * the length, without a vocabulary.
 *
 * Weights: least squares against `o200k_base` over 1,219 real documents (help pages and FAQs, Chinese and English), then raised. Over
 * 1,482 documents, estimate by actual count: median 1.12, 1st percentile .93, 99th 1.40, worst .78.
 */
export function estimateTokens(text: string): number {
  let tokens = 0;
  for (const [run, han, word, digits, space, punctuation] of text.matchAll(RUN)) {
    if (han !== undefined) tokens += han.length * 0.88;
    else if (word !== undefined) tokens += 1.15 + Math.max(0, word.length - PLAIN_WORD_LENGTH_MAX) * 0.7;
    else if (digits !== undefined) tokens += Math.ceil(digits.length / 3) * 2.2;
    else if (space !== undefined) tokens += run.length > 1 || run === '\n' ? 0.75 : 0;
    else if (punctuation !== undefined) tokens += Math.ceil(punctuation.length / 2) * 0.8;
    else tokens += run.length;
  }
  return Math.ceil(tokens);
}
