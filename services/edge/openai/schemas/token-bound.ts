import { estimateTokens } from '#kit/text/tokens-count.ts';
import { badField } from '../../http/parse-fields.ts';

/** Tokens that the texts of one request may have together, as OpenAI's embeddings have it. */
export const maxRequestTokens = 300_000;

/** Throws FIELD_INVALID for `path` if the texts have more tokens than one request may have. Stops counting there. */
export function refuseTooManyTokens(texts: Iterable<string>, path: string): void {
  let tokens = 0;
  for (const text of texts) {
    tokens += estimateTokens(text);
    if (tokens > maxRequestTokens) {
      throw badField(path, `has more than ${maxRequestTokens} tokens in total: send it in several requests`);
    }
  }
}
