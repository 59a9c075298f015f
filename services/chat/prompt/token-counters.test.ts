import { encode } from 'gpt-tokenizer/encoding/o200k_base';
import { expect, test } from 'vitest';
import { createLogger } from '#kit/base/log.ts';
import { estimateTokens } from '#kit/text/tokens-count.ts';
import { createTokenCounters } from './token-counters.ts';

const log = createLogger('silent');
const text = '退货运费由谁承担？The courier collects it within 3 working days. <|endoftext|>';

test('a known vocabulary counts as its tokens are, once it is loaded', async () => {
  const counters = createTokenCounters(log);
  expect(counters.of('o200k_base')(text)).toBe(estimateTokens(text));
  await counters.idle();
  expect(counters.of('o200k_base')(text)).toBe(encode(text, { disallowedSpecial: new Set() }).length);
});

test('a vocabulary that is not known, or not installed, is estimated, and is not loaded again', async () => {
  let loads = 0;
  const counters = createTokenCounters(log, {
    o200k_base: async () => {
      loads++;
      throw new Error('Cannot find package');
    },
  });
  for (const name of ['o200k_base', '', 'toString', 'o200k_base']) {
    expect(counters.of(name)(text)).toBe(estimateTokens(text));
    await counters.idle();
  }
  expect(loads).toBe(1);
});

test('a long text without a space is counted in pieces', async () => {
  const counters = createTokenCounters(log);
  counters.of('o200k_base');
  await counters.idle();
  const long = 'x'.repeat(200_000);
  expect(counters.of('o200k_base')(long)).toBeGreaterThan(10_000);
});
