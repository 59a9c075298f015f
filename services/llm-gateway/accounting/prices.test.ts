import { create, type MessageInitShape } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LLMPriceTableSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { createPrices, type PricedTokens } from './prices.ts';

const tableOf = (init: MessageInitShape<typeof LLMPriceTableSchema>) => create(LLMPriceTableSchema, init);
const tokensOf = (init: Partial<PricedTokens>): PricedTokens => ({
  promptTokens: 0,
  completionTokens: 0,
  cachedPromptTokens: 0,
  cacheWriteTokens: 0,
  ...init,
});

test('cached and written tokens are parts of the prompt with prices of their own', () => {
  const prices = createPrices(
    tableOf({
      version: '2026-11-01',
      currency: 'USD',
      prices: [
        { model: 'sonnet', prompt: 3, completion: 15, cachedPrompt: 0.3, cacheWrite: 3.75 },
        { model: 'plain', prompt: 3, completion: 15 },
      ],
    }),
  );
  const tokens = { promptTokens: 10_000, completionTokens: 500, cachedPromptTokens: 6000, cacheWriteTokens: 2000 };
  // 2000 × 3 + 6000 × 0.3 + 2000 × 3.75 + 500 × 15
  expect(prices.cost('sonnet', tokens)).toEqual({ costMicros: 22_800n, currency: 'USD', priceVersion: '2026-11-01' });
  expect(prices.cost('plain', tokens)?.costMicros).toBe(37_500n);
  expect(prices.maxCost('sonnet', 10_000, 500)).toBe(45_000n);
  expect(prices.cost('sonnet', tokensOf({}))?.costMicros).toBe(0n);
});

// As OpenAI has it for gpt-5.4: "prompts with >272K input tokens are priced at 2x input and 1.5x output for the full session"
// (developers.openai.com/api/docs/models/gpt-5.4-pro).
const longContext = {
  model: 'gpt-5.4',
  prompt: 2.5,
  completion: 15,
  cachedPrompt: 0.25,
  tiers: [{ abovePromptTokens: 272_000n, prompt: 5, completion: 22.5, cachedPrompt: 0.5 }],
};

test('a prompt above the bound of a tier has its prices for all tokens, and the cached ones count', () => {
  const prices = createPrices(tableOf({ version: '1', currency: 'USD', prices: [longContext] }));
  const cost = (init: Partial<PricedTokens>) => prices.cost('gpt-5.4', tokensOf(init))?.costMicros;
  expect(cost({ promptTokens: 272_000, completionTokens: 1000 })).toBe(695_000n);
  expect(cost({ promptTokens: 272_001, completionTokens: 1000 })).toBe(1_382_505n);
  expect(cost({ promptTokens: 300_000, cachedPromptTokens: 290_000 })).toBe(195_000n);
});

test('the maximum cost of an attempt is that of the most expensive tier that its prompt can reach', () => {
  const prices = createPrices(tableOf({ version: '1', currency: 'USD', prices: [longContext] }));
  // By a provider's count it may be a quarter longer than by ours.
  expect(prices.maxCost('gpt-5.4', 217_600, 1000)).toBe(559_000n);
  expect(prices.maxCost('gpt-5.4', 217_601, 1000)).toBe(1_110_505n);
  expect(prices.maxCost('gpt-5.4', 300_000, 1000)).toBe(1_522_500n);
});

test('a model without a price has no known cost', () => {
  for (const prices of [createPrices(undefined), createPrices(tableOf({ version: '1', currency: 'EUR' }))]) {
    expect(prices.cost('x', tokensOf({ promptTokens: 1 }))).toBeUndefined();
    expect(prices.maxCost('x', 1, 1)).toBeUndefined();
  }
});

const price = fc
  .tuple(fc.integer({ min: 0, max: 999_999 }), fc.integer({ min: 0, max: 999_999 }), fc.integer({ min: 0, max: 6 }))
  .map(([whole, fraction, decimals]) => {
    const digits = String(fraction).padStart(6, '0').slice(0, decimals);
    return {
      value: Number(`${whole}.${digits}0`),
      micro: BigInt(whole) * 10n ** 6n + BigInt(`${digits}000000`.slice(0, 6)),
    };
  });
const count = fc.integer({ min: 0, max: 2 ** 40 });

test('a cost is the exact sum of tokens times prices, rounded once, half up; and never above the most that was foretold', () => {
  fc.assert(
    fc.property(
      price,
      price,
      price,
      price,
      count,
      count,
      count,
      count,
      (prompt, completion, cachedPrompt, cacheWrite, ...counts) => {
        const [fresh, cached, written, completionTokens] = counts as [number, number, number, number];
        const prices = createPrices(
          tableOf({
            version: '1',
            currency: 'CNY',
            prices: [
              {
                model: 'm',
                prompt: prompt.value,
                completion: completion.value,
                cachedPrompt: cachedPrompt.value,
                cacheWrite: cacheWrite.value,
              },
            ],
          }),
        );
        const promptTokens = fresh + cached + written;
        const tokens = { promptTokens, completionTokens, cachedPromptTokens: cached, cacheWriteTokens: written };
        const exact =
          BigInt(fresh) * prompt.micro +
          BigInt(cached) * cachedPrompt.micro +
          BigInt(written) * cacheWrite.micro +
          BigInt(completionTokens) * completion.micro;
        const cost = prices.cost('m', tokens)?.costMicros as bigint;
        // cost - 1/2 <= exact < cost + 1/2, in millionths of a micro-unit.
        expect(2n * (cost * 1_000_000n - exact) <= 1_000_000n && 2n * (exact - cost * 1_000_000n) < 1_000_000n).toBe(
          true,
        );
        expect(cost <= (prices.maxCost('m', promptTokens, completionTokens) as bigint)).toBe(true);
      },
    ),
  );
});

test('whatever the tiers are, an attempt costs what the tier of its prompt says, and never more than was foretold', () => {
  const amount = fc.integer({ min: 0, max: 1000 });
  const tier = fc.record({ prompt: amount, completion: amount, cachedPrompt: amount, cacheWrite: amount });
  const bounds = fc.uniqueArray(fc.integer({ min: 1, max: 500 }), { maxLength: 4 });
  const few = fc.integer({ min: 0, max: 400 });
  fc.assert(
    fc.property(fc.array(tier, { minLength: 5, maxLength: 5 }), bounds, few, few, few, (given, unsorted, ...counts) => {
      const [fresh, cached, written] = counts;
      const above = unsorted.toSorted((a, b) => a - b);
      const [base, ...others] = given;
      const tiers = above.map((bound, index) => ({ ...others[index], abovePromptTokens: BigInt(bound) }));
      const prices = createPrices(tableOf({ version: '1', currency: 'USD', prices: [{ model: 'm', ...base, tiers }] }));
      const promptTokens = fresh + cached + written;
      const completionTokens = 7;
      const own = given[above.filter((bound) => promptTokens > bound).length] as (typeof given)[number];
      const tokens = { promptTokens, completionTokens, cachedPromptTokens: cached, cacheWriteTokens: written };
      const cost = prices.cost('m', tokens)?.costMicros as bigint;
      const exact =
        fresh * own.prompt + cached * own.cachedPrompt + written * own.cacheWrite + completionTokens * own.completion;
      expect(cost).toBe(BigInt(exact));
      // Also if the reserved prompt was longer.
      expect(cost <= (prices.maxCost('m', promptTokens + counts[0], completionTokens) as bigint)).toBe(true);
    }),
  );
});

test('counts that make no sense cost no more than the tokens that there are', () => {
  const prices = createPrices(
    tableOf({ version: '1', currency: 'USD', prices: [{ model: 'm', prompt: 1, completion: 2, cachedPrompt: 0.5 }] }),
  );
  const cost = (init: Partial<PricedTokens>) => prices.cost('m', tokensOf(init))?.costMicros;
  expect(cost({ promptTokens: 10, cachedPromptTokens: 40, cacheWriteTokens: 40 })).toBe(5n);
  expect(cost({ promptTokens: -10, completionTokens: Number.NaN, cachedPromptTokens: 5 })).toBe(0n);
  expect(cost({ promptTokens: 10n, completionTokens: Infinity })).toBe(10n);
});

test.each([
  ['no version', { currency: 'USD', prices: [{ model: 'm' }] }, /llm_gateway\.prices\.version/],
  ['no currency', { version: '1', prices: [{ model: 'm' }] }, /llm_gateway\.prices\.currency/],
  [
    'a model twice',
    { version: '1', currency: 'USD', prices: [{ model: 'm' }, { model: 'm' }] },
    /prices\[1\]\.model.*"m"/,
  ],
  ['no model', { version: '1', currency: 'USD', prices: [{}] }, /prices\[0\]\.model/],
  [
    'a negative price',
    { version: '1', currency: 'USD', prices: [{ model: 'm', prompt: -1 }] },
    /prices\[0\]\.prompt.*-1/,
  ],
  [
    'a price that is none',
    { version: '1', currency: 'USD', prices: [{ model: 'm', cacheWrite: NaN }] },
    /cache_write.*NaN/,
  ],
  [
    'a tier for every prompt',
    { version: '1', currency: 'USD', prices: [{ model: 'm', tiers: [{}] }] },
    /prices\[0\]\.tiers\[0\]\.above_prompt_tokens.*more than 0/,
  ],
  [
    'tiers that do not ascend',
    {
      version: '1',
      currency: 'USD',
      prices: [{ model: 'm', tiers: [{ abovePromptTokens: 9n }, { abovePromptTokens: 9n }] }],
    },
    /tiers\[1\]\.above_prompt_tokens.*is 9.*more than 9/,
  ],
  [
    'a tier with a negative price',
    { version: '1', currency: 'USD', prices: [{ model: 'm', tiers: [{ abovePromptTokens: 9n, completion: -1 }] }] },
    /tiers\[0\]\.completion.*-1/,
  ],
  [
    'too fine a price',
    { version: '1', currency: 'USD', prices: [{ model: 'm', completion: 1e-13 }] },
    /completion.*1e-13/,
  ],
])('a table with %s is refused, and the one before stays', (_, bad, message) => {
  const prices = createPrices(tableOf({ version: 'good', currency: 'USD', prices: [{ model: 'm', prompt: 1e-12 }] }));
  expect(() => prices.reconfigure(tableOf(bad))).toThrow(message);
  expect(prices.version).toBe('good');
  expect(prices.maxCost('m', 1, 0)).toBe(1n);
  expect(() => createPrices(tableOf(bad))).toThrow(message);
});

test('a new table takes the place of the old one whole', () => {
  const prices = createPrices(tableOf({ version: '1', currency: 'USD', prices: [{ model: 'a', prompt: 1 }] }));
  prices.reconfigure(tableOf({ version: '2', currency: 'EUR', prices: [{ model: 'b', prompt: 2 }] }));
  expect(prices.cost('a', tokensOf({ promptTokens: 1 }))).toBeUndefined();
  const cost = prices.cost('b', tokensOf({ promptTokens: 1 }));
  expect(cost).toEqual({ costMicros: 2n, currency: 'EUR', priceVersion: '2' });
});
