import { type TokenUsage, UsageProvenance } from '#gen/ragmesh/common/v1/common_pb.ts';
import { estimateTokens } from '#kit/text/tokens-count.ts';
import type { Price, ProviderRequest, ProviderUsage } from './llm-provider.ts';

/** Tokens that the provider adds around each message, about. */
const messageOverheadTokens = 4;

/** Tokens of a request by our own count: every text in it, the evidence included. */
export function estimatePrompt({ messages, evidence, tools }: ProviderRequest): number {
  let tokens = 0;
  for (const { text, toolCalls } of messages) {
    tokens += estimateTokens(text) + messageOverheadTokens;
    for (const { name, argumentsJson } of toolCalls) tokens += estimateTokens(name) + estimateTokens(argumentsJson);
  }
  for (const { title, headingPath, text } of evidence) {
    tokens += estimateTokens(title) + estimateTokens(headingPath.join(' ')) + estimateTokens(text);
  }
  for (const { name, description, parametersJson } of tools) {
    tokens += estimateTokens(name) + estimateTokens(description) + estimateTokens(parametersJson);
  }
  return tokens;
}

/** Usage with its cost. */
export function toTokenUsage(
  usage: ProviderUsage,
  provenance: UsageProvenance,
  price: Price | undefined,
): Omit<TokenUsage, '$typeName'> {
  const { promptTokens, completionTokens, cachedPromptTokens, reasoningTokens } = usage;
  const counts = {
    promptTokens: BigInt(promptTokens),
    completionTokens: BigInt(completionTokens),
    cachedPromptTokens: BigInt(cachedPromptTokens),
    reasoningTokens: BigInt(reasoningTokens),
    provenance,
    fromCache: false,
    currency: '',
  };
  if (price === undefined) return counts;
  const fresh = Math.max(0, promptTokens - cachedPromptTokens);
  // Units for a million tokens are millionths of a unit for one.
  const micros = fresh * price.prompt + cachedPromptTokens * price.cachedPrompt + completionTokens * price.completion;
  return { ...counts, costMicros: BigInt(Math.round(micros)), currency: price.currency };
}

/** Where the numbers come from: of a stream that broke, the provider's count is a part. */
export function provenanceOf(isReported: boolean, isWhole: boolean): UsageProvenance {
  if (!isReported) return UsageProvenance.ESTIMATED;
  return isWhole ? UsageProvenance.REPORTED : UsageProvenance.PARTIAL;
}
