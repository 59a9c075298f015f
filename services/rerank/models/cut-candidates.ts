import { estimateTokens } from '#kit/text/tokens-count.ts';

/** Bounds of a request to a provider. */
export interface CandidateBounds {
  /** Most texts. */
  size: number;
  /** Most tokens by the provider's reckoning, which counts the question once for each text; 0: no limit. */
  tokens: number;
}

/** Cuts texts into runs of a size that the provider takes, in order; a text that alone is too large makes a run of its own. */
export function cutCandidates(query: string, texts: readonly string[], { size, tokens }: CandidateBounds): Run[] {
  const runs: Run[] = [];
  const queryTokens = tokens === 0 ? 0 : estimateTokens(query);
  let run: Run | undefined;
  let runTokens = 0;
  for (const [index, text] of texts.entries()) {
    const textTokens = tokens === 0 ? 0 : estimateTokens(text) + queryTokens;
    if (run === undefined || run.texts.length >= size || (tokens > 0 && runTokens + textTokens > tokens)) {
      run = { firstIndex: index, texts: [] };
      runTokens = 0;
      runs.push(run);
    }
    run.texts.push(text);
    runTokens += textTokens;
  }
  return runs;
}

/** Texts that follow each other. */
export interface Run {
  firstIndex: number;
  texts: string[];
}
