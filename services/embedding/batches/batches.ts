import { estimateTokens } from '#kit/text/tokens-count.ts';

/** A run of inputs. */
export interface Batch {
  firstIndex: number;
  texts: string[];
}

/** Bounds of a batch. */
export interface BatchBounds {
  /** Most texts. */
  size: number;
  /** Most tokens together, by estimate; 0: no limit. A text that alone has more makes a batch of its own. */
  tokens: number;
}

/** Cuts texts into batches, in order, each as large as the bounds allow. */
export function cutBatches(texts: readonly string[], { size, tokens }: BatchBounds): Batch[] {
  const batches: Batch[] = [];
  let batch: Batch | undefined;
  let batchTokens = 0;
  for (const [index, text] of texts.entries()) {
    const textTokens = tokens === 0 ? 0 : estimateTokens(text);
    const fits =
      batch !== undefined && batch.texts.length < size && (tokens === 0 || batchTokens + textTokens <= tokens);
    if (batch === undefined || !fits) {
      batch = { firstIndex: index, texts: [] };
      batchTokens = 0;
      batches.push(batch);
    }
    batch.texts.push(text);
    batchTokens += textTokens;
  }
  return batches;
}
