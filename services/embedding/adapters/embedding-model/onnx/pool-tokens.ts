/** How the vectors of a text's tokens become one. */
export type Pooling = 'mean' | 'cls' | 'last' | 'max';

/** Every way of pooling. */
export const poolings: readonly Pooling[] = ['mean', 'cls', 'last', 'max'];

/** Vectors of tokens: `values[text][token][component]`, one after another. */
export interface TokenVectors {
  values: Float32Array;
  textCount: number;
  /** Tokens of each text with its padding, which is at the end. */
  tokenCount: number;
  dimensions: number;
  /** Tokens of each text without its padding; at least 1. */
  lengths: readonly number[];
}

/**
 * One vector a text, written into `into` one after another. `mean`, `cls` (the first token), `last` and `max` as in sentence-transformers
 * (models/Pooling.py); padding never counts.
 */
export function poolTokens(pooling: Pooling, tokens: TokenVectors, into: Float32Array): void {
  const { values, textCount, tokenCount, dimensions, lengths } = tokens;
  for (let text = 0; text < textCount; text++) {
    const length = lengths[text] as number;
    const target = into.subarray(text * dimensions, (text + 1) * dimensions);
    const first = text * tokenCount;
    const tokenAt = (token: number) => values.subarray((first + token) * dimensions, (first + token + 1) * dimensions);
    if (pooling === 'cls' || pooling === 'last') {
      target.set(tokenAt(pooling === 'cls' ? 0 : length - 1));
      continue;
    }
    target.set(tokenAt(0));
    for (let token = 1; token < length; token++) {
      const vector = tokenAt(token);
      for (let index = 0; index < dimensions; index++) {
        const value = vector[index] as number;
        const so = target[index] as number;
        target[index] = pooling === 'max' ? Math.max(so, value) : so + value;
      }
    }
    if (pooling === 'mean')
      for (let index = 0; index < dimensions; index++) target[index] = (target[index] as number) / length;
  }
}
