import type { LLMPrice, LLMPriceTable, LLMPriceTier } from '#gen/ragmesh/config/v1/config_pb.ts';
import { ConfigError } from '#kit/base/config-error.ts';
import { ifSet } from '#kit/host/config/settings.ts';

/** Tokens that an attempt has used. Cached and written tokens are parts of the prompt. */
export interface PricedTokens {
  promptTokens: number | bigint;
  completionTokens: number | bigint;
  /** Of the prompt: read from the provider's cache. */
  cachedPromptTokens: number | bigint;
  /** Of the prompt: written to the provider's cache. */
  cacheWriteTokens: number | bigint;
}

/** A cost; the fields are those of TokenUsage. */
export interface Cost {
  /** Millionths of the currency unit. */
  costMicros: bigint;
  /** ISO 4217. */
  currency: string;
  /** Version of the price table. */
  priceVersion: string;
}

/** The price table in use. */
export interface Prices {
  /**
   * Returns the cost of an attempt's tokens: the exact sum, rounded once, half up, to a whole micro-unit. `undefined` for a model without a
   * price. Parts of the prompt that are larger than the prompt are reduced to it; cached tokens are counted first.
   */
  cost(model: string, tokens: PricedTokens): Cost | undefined;
  /**
   * Returns the maximum cost of one attempt, rounded up: each token at its highest price, in the most expensive tier that a prompt of a
   * quarter more tokens can reach. Never less than `cost` of at most these tokens. `undefined` for a model without a price.
   */
  maxCost(model: string, promptTokens: number | bigint, completionTokens: number | bigint): bigint | undefined;
  /** Returns the price of a model as the table has it, in units for a million tokens; `undefined`: it has none. */
  priceOf(model: string): ListedPrice | undefined;
  /** Replaces the table. Throws ConfigError if it is invalid, and then keeps the current one. */
  reconfigure(table: LLMPriceTable | undefined): void;
  /** Version of the table; empty without a table. */
  readonly version: string;
  /** ISO 4217; empty without a table. */
  readonly currency: string;
}

/** A price as the table has it, in currency units for a million tokens. */
export interface ListedPrice {
  prompt: number;
  completion: number;
  cachedPrompt?: number;
  cacheWrite?: number;
  /** Higher prices for longer prompts. */
  tierCount: number;
}

/** Prices of a model's tokens: micro-units for a token, in steps of 10^-12, which is what the table says exactly. */
interface TokenPrices {
  prompt: bigint;
  completion: bigint;
  cachedPrompt: bigint;
  cacheWrite: bigint;
}

/** Prices for prompts of more than `above` tokens, up to the next tier. */
interface Tier extends TokenPrices {
  above: bigint;
}

/** All tiers of a model; the first one is for every prompt. */
type ModelPrice = readonly [Tier, ...Tier[]];

interface Table {
  version: string;
  currency: string;
  models: ReadonlyMap<string, ModelPrice>;
}

const decimals = 12;
const scale = 10n ** BigInt(decimals);
/**
 * Largest ratio of a provider's count of a prompt to the gateway's, as a quotient: `estimateTokens` is a fifth below the real count in the
 * worst of the measured documents. At the bound of a tier, one more token changes the price of all.
 */
const countMargin = [5n, 4n] as const;

/**
 * Creates the prices of a table; without one, no model has a price. Throws ConfigError (`path` names the table) for prices without version
 * or currency, a model with two prices, tiers whose bounds do not ascend, and a price that is negative, infinite or finer than 10^-12.
 */
export function createPrices(first: LLMPriceTable | undefined, path = 'llm_gateway.prices'): Prices {
  let table = readTable(first, path);
  let listed = first?.prices ?? [];
  return {
    cost(model, tokens) {
      const tiers = table.models.get(model);
      if (tiers === undefined) return undefined;
      const prompt = toCount(tokens.promptTokens);
      const cached = smaller(toCount(tokens.cachedPromptTokens), prompt);
      const written = smaller(toCount(tokens.cacheWriteTokens), prompt - cached);
      const price = tiers.findLast(({ above }) => prompt > above) ?? tiers[0];
      const exact =
        (prompt - cached - written) * price.prompt +
        cached * price.cachedPrompt +
        written * price.cacheWrite +
        toCount(tokens.completionTokens) * price.completion;
      const { currency, version } = table;
      return { costMicros: (exact + scale / 2n) / scale, currency, priceVersion: version };
    },
    maxCost(model, promptTokens, completionTokens) {
      const tiers = table.models.get(model);
      if (tiers === undefined) return undefined;
      const [prompt, completion] = [toCount(promptTokens), toCount(completionTokens)];
      const longest = (prompt * countMargin[0]) / countMargin[1];
      let exact = 0n;
      for (const price of tiers) {
        if (price.above > 0n && price.above >= longest) break;
        const highest = larger(price.prompt, larger(price.cachedPrompt, price.cacheWrite));
        exact = larger(exact, prompt * highest + completion * price.completion);
      }
      return (exact + scale - 1n) / scale;
    },
    priceOf(model) {
      const price = listed.find((each) => each.model === model);
      if (price === undefined) return undefined;
      const { prompt, completion, tiers } = price;
      const [cachedPrompt, cacheWrite] = [ifSet(price, 'cachedPrompt'), ifSet(price, 'cacheWrite')];
      return {
        ...{ prompt, completion, tierCount: tiers.length },
        ...(cachedPrompt !== undefined && { cachedPrompt }),
        ...(cacheWrite !== undefined && { cacheWrite }),
      };
    },
    reconfigure(next) {
      table = readTable(next, path);
      listed = next?.prices ?? [];
    },
    get version() {
      return table.version;
    },
    get currency() {
      return table.currency;
    },
  };
}

function readTable(table: LLMPriceTable | undefined, path: string): Table {
  const models = new Map<string, ModelPrice>();
  const { version = '', currency = '', prices = [] } = table ?? {};
  if (prices.length > 0 && version === '')
    throw new ConfigError(`${path}.version`, 'is missing: prices need a version');
  if (prices.length > 0 && !/^[A-Z]{3}$/.test(currency)) {
    throw new ConfigError(`${path}.currency`, `is "${currency}": prices need an ISO 4217 code such as USD or CNY`);
  }
  for (const [index, price] of prices.entries()) {
    const { model } = price;
    const at = `${path}.prices[${index}]`;
    if (model === '') throw new ConfigError(`${at}.model`, 'is missing');
    if (models.has(model)) throw new ConfigError(`${at}.model`, `"${model}" has a price already`);
    models.set(model, readTiers(price, at));
  }
  return { version, currency, models };
}

function readTiers(price: LLMPrice, path: string): ModelPrice {
  const tiers: [Tier, ...Tier[]] = [{ above: 0n, ...readPrices(price, path) }];
  let highest = 0n;
  for (const [index, tier] of price.tiers.entries()) {
    const at = `${path}.tiers[${index}]`;
    const above = tier.abovePromptTokens;
    if (above <= highest) {
      throw new ConfigError(`${at}.above_prompt_tokens`, `is ${above}: it must be more than ${highest}`);
    }
    tiers.push({ above, ...readPrices(tier, at) });
    highest = above;
  }
  return tiers;
}

function readPrices(price: LLMPrice | LLMPriceTier, path: string): TokenPrices {
  const prompt = toSteps(price.prompt, `${path}.prompt`);
  const cachedPrompt = ifSet(price, 'cachedPrompt');
  const cacheWrite = ifSet(price, 'cacheWrite');
  return {
    prompt,
    completion: toSteps(price.completion, `${path}.completion`),
    cachedPrompt: cachedPrompt === undefined ? prompt : toSteps(cachedPrompt, `${path}.cached_prompt`),
    cacheWrite: cacheWrite === undefined ? prompt : toSteps(cacheWrite, `${path}.cache_write`),
  };
}

/**
 * Returns a price in exact steps. A price for a million tokens in units is the same number for one token in micro-units. The price is the
 * decimal that was written, not the nearest binary fraction: 0.1 is a tenth.
 */
function toSteps(price: number, path: string): bigint {
  if (!Number.isFinite(price) || price < 0) throw new ConfigError(path, `is ${price}: a price is 0 or more`);
  const [digits = '', exponent = '0'] = String(price).split('e');
  const [whole = '', fraction = ''] = digits.split('.');
  const shift = decimals - fraction.length + Number(exponent);
  if (shift < 0) throw new ConfigError(path, `is ${price}: prices have at most ${decimals} decimals`);
  return BigInt(whole + fraction) * 10n ** BigInt(shift);
}

/** Returns a count of tokens. A value that is not a count (negative, NaN) is 0, and a fraction is rounded up. */
function toCount(tokens: number | bigint): bigint {
  if (typeof tokens === 'bigint') return tokens > 0n ? tokens : 0n;
  return Number.isFinite(tokens) && tokens > 0 ? BigInt(Math.ceil(tokens)) : 0n;
}

const smaller = (a: bigint, b: bigint) => (a < b ? a : b);
const larger = (a: bigint, b: bigint) => (a > b ? a : b);
