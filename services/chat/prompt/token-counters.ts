import type { Logger } from '#kit/base/log.ts';
import { estimateTokens } from '#kit/text/tokens-count.ts';

/** Returns the number of tokens of a text. */
export type CountTokens = (text: string) => number;

/** Counters by vocabulary. */
export interface TokenCounters {
  /**
   * Returns the counter of a vocabulary. It estimates for a vocabulary that is not known, and while one is being loaded, which the first
   * call begins.
   */
  of(vocabulary: string): CountTokens;
  /** Resolves when no vocabulary is being loaded. */
  idle(): Promise<void>;
}

/** A text is counted in pieces of at most this length, in UTF-16 code units: a long run without a space would take quadratic time. */
const maxPiece = 2048;

/** Reads a vocabulary. Rejects if the package that has it is not installed. */
type Load = () => Promise<{ countTokens: CountTokens }>;

// Some 2 MB of code and 30 MB of memory each, so only those that a model needs. Text that looks like a special token is text.
const plainText = { allowedSpecial: new Set<string>(), disallowedSpecial: new Set<string>() };
const vocabularies: Readonly<Record<string, Load>> = {
  async o200k_base() {
    const { countTokens } = await import('gpt-tokenizer/encoding/o200k_base');
    return { countTokens: (text) => countTokens(text, plainText) };
  },
  async cl100k_base() {
    const { countTokens } = await import('gpt-tokenizer/encoding/cl100k_base');
    return { countTokens: (text) => countTokens(text, plainText) };
  },
};

/** Creates the counters. A vocabulary that cannot be loaded is logged once; its tokens are estimated. */
export function createTokenCounters(log: Logger, load: Readonly<Record<string, Load>> = vocabularies): TokenCounters {
  const counters = new Map<string, CountTokens>();
  const loading = new Set<Promise<void>>();
  const begin = async (vocabulary: string, read: Load) => {
    try {
      const { countTokens } = await read();
      counters.set(vocabulary, (text) => piecesOf(text).reduce((sum, piece) => sum + countTokens(piece), 0));
    } catch (error) {
      log.warn({ err: error, event: 'tokenizer_missing', vocabulary }, 'install gpt-tokenizer to count tokens');
    }
  };
  return {
    of(vocabulary) {
      const known = counters.get(vocabulary);
      if (known !== undefined) return known;
      const read = Object.hasOwn(load, vocabulary) ? load[vocabulary] : undefined;
      if (read !== undefined) {
        counters.set(vocabulary, estimateTokens);
        const running = begin(vocabulary, read).finally(() => loading.delete(running));
        loading.add(running);
      }
      return estimateTokens;
    },
    async idle() {
      await Promise.all(loading);
    },
  };
}

function piecesOf(text: string): string[] {
  if (text.length <= maxPiece) return [text];
  const pieces: string[] = [];
  for (let start = 0; start < text.length; start += maxPiece) pieces.push(text.slice(start, start + maxPiece));
  return pieces;
}
