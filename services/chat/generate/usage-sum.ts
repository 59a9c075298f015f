import { create } from '@bufbuild/protobuf';
import { type TokenUsage, TokenUsageSchema } from '#gen/ragmesh/common/v1/common_pb.ts';

/** Creates a sum of the usages of one answer's requests: takes the next one, returns all so far. One request stays as it is. */
export function createUsageSum(): (usage: TokenUsage) => TokenUsage {
  let sum: TokenUsage | undefined;
  return (usage) => {
    sum = sum === undefined ? usage : added(sum, usage);
    return sum;
  };
}

// The cost is not known if that of one request is not, or is in another currency.
function added(a: TokenUsage, b: TokenUsage): TokenUsage {
  const { costMicros: costA, ...before } = a;
  const isPriced = costA !== undefined && b.costMicros !== undefined && a.currency === b.currency;
  return create(TokenUsageSchema, {
    ...before,
    promptTokens: a.promptTokens + b.promptTokens,
    completionTokens: a.completionTokens + b.completionTokens,
    cachedPromptTokens: a.cachedPromptTokens + b.cachedPromptTokens,
    reasoningTokens: a.reasoningTokens + b.reasoningTokens,
    cacheWriteTokens: a.cacheWriteTokens + b.cacheWriteTokens,
    provenance: a.provenance > b.provenance ? a.provenance : b.provenance,
    ...(isPriced ? { costMicros: costA + (b.costMicros ?? 0n) } : { currency: '', priceVersion: '' }),
  });
}
