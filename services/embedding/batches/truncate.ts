import { estimateTokens } from '#kit/text/tokens-count.ts';
import { type EmbeddedBatch, TextTooLongError } from '../models/embedding-model.ts';

/** What is left of the bound after each text that was still too long. */
const shrink = 0.85;
/** Tries of a batch: by then a text is cut to a seventh of the first bound. */
const maxTries = 12;
/** A text of this many times the model's tokens, by the estimate, is too long for sure. */
const surelyTooLong = 1.5;

/**
 * Embeds texts, and cuts those that the model refuses as too long at their end. What a token is only the model knows, so the bound is
 * lowered until it takes them. Throws what `embed` throws.
 */
export async function embedTruncated(
  texts: readonly string[],
  maxInputTokens: number,
  embed: (texts: readonly string[]) => Promise<EmbeddedBatch>,
): Promise<EmbeddedBatch & { truncatedCount: number }> {
  let bound = maxInputTokens === 0 ? Number.POSITIVE_INFINITY : maxInputTokens * surelyTooLong;
  for (let attempt = 1; ; attempt++) {
    const fitting = texts.map((text) => cutTo(text, bound));
    try {
      const embedded = await embed(fitting);
      return { ...embedded, truncatedCount: fitting.filter((text, index) => text !== texts[index]).length };
    } catch (error) {
      if (!(error instanceof TextTooLongError) || attempt === maxTries) throw error;
      const refused = error.textIndex === undefined ? fitting : [fitting[error.textIndex] as string];
      bound = Math.min(bound, Math.max(...refused.map(estimateTokens))) * shrink;
    }
  }
}

function cutTo(text: string, bound: number): string {
  const tokens = bound === Number.POSITIVE_INFINITY ? 0 : estimateTokens(text);
  if (tokens <= bound) return text;
  const end = Math.max(1, Math.floor((text.length * bound) / tokens));
  // Never between the halves of a character.
  return text.slice(0, end).replace(/[\ud800-\udbff]$/u, '');
}
