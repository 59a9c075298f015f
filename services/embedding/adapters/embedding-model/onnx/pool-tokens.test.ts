import { expect, test } from 'vitest';
import { type Pooling, poolTokens } from './pool-tokens.ts';

// Two texts of 2 and 3 tokens, 2 components each; the padding of the first holds what must never count.
const tokens = {
  values: new Float32Array([1, 4, 3, -2, 999, 999, 1, 1, 2, 2, 6, 0]),
  textCount: 2,
  tokenCount: 3,
  dimensions: 2,
  lengths: [2, 3],
};

test.each<[Pooling, number[]]>([
  ['mean', [2, 1, 3, 1]],
  ['cls', [1, 4, 1, 1]],
  ['last', [3, -2, 6, 0]],
  ['max', [3, 4, 6, 2]],
])('%s leaves padding out', (pooling, expected) => {
  const into = new Float32Array(4);
  poolTokens(pooling, tokens, into);
  expect([...into]).toEqual(expected);
});
