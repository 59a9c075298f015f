import type { TokenUsage } from '#gen/ragmesh/common/v1/common_pb.ts';

/** Tokens in OpenAI's shape; nothing known is zero. */
export function toUsage(usage: TokenUsage | undefined) {
  const promptTokens = Number(usage?.promptTokens ?? 0n);
  const completionTokens = Number(usage?.completionTokens ?? 0n);
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: Number(usage?.cachedPromptTokens ?? 0n) },
    completion_tokens_details: { reasoning_tokens: Number(usage?.reasoningTokens ?? 0n) },
  };
}

/** Money, if the model has a price. */
export function toCost(usage: TokenUsage | undefined) {
  if (usage?.costMicros === undefined) return {};
  const { costMicros, currency, priceVersion } = usage;
  return { cost_micros: Number(costMicros), currency, ...(priceVersion ? { price_version: priceVersion } : {}) };
}
