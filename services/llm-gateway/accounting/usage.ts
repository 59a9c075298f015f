import { type TokenUsage, UsageProvenance } from '#gen/ragmesh/common/v1/common_pb.ts';
import { estimateTokens } from '#kit/text/tokens-count.ts';
import type { ProviderRequest, ProviderUsage } from '../providers/llm-provider.ts';
import type { Prices } from './prices.ts';
import { isTokenCount, maxTokenCount } from './token-count.ts';

/** Tokens that the provider adds around each message, about. */
const messageOverheadTokens = 4;
/** Tokens of an image, about: a large one in full detail. */
const imageTokens = 1500;

/** What of a request costs tokens. */
export type Prompt = Pick<ProviderRequest, 'messages' | 'evidence' | 'tools'>;

/** Tokens of a request by our own count: every text in it, the evidence included. */
export function estimatePrompt({ messages, evidence, tools }: Prompt): number {
  let tokens = 0;
  for (const { text, toolCalls, images } of messages) {
    tokens += estimateTokens(text) + messageOverheadTokens + images.length * imageTokens;
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

/** Used tokens; every count is reported or estimated. */
export interface UsedTokens {
  promptTokens: number;
  completionTokens: number;
  cachedPromptTokens: number;
  cacheWriteTokens: number;
  reasoningTokens: number;
  provenance: UsageProvenance;
}

/** Counts the usage of an attempt, from the provider's reports and from its text. */
export interface UsageMeter {
  /**
   * Adds a cumulative report of the provider: each count replaces the one before. A value that is not a count of tokens (negative, a
   * fraction, NaN, more than the model's context) discards the count before it as well: the tokens are then estimated.
   */
  report(usage: ProviderUsage): void;
  /** Adds text of any kind that the provider wrote. */
  write(text: string): void;
  /** Returns the usage. `isWhole`: the stream is complete, and so are the provider's reports. */
  total(isWhole: boolean): UsedTokens;
}

/**
 * Creates a meter for a request whose prompt has `promptTokens()` by the gateway's own count, which is computed only if it is needed.
 * `maxCount`: the largest possible count, the model's context; 0: not known.
 */
export function createUsageMeter(promptTokens: () => number, maxCount = 0): UsageMeter {
  const longest = maxCount > 0 ? Math.min(maxCount, maxTokenCount) : maxTokenCount;
  const reported: Partial<Record<keyof ProviderUsage, number>> = {};
  // Fields whose last report was not a count.
  const doubtful = new Set<keyof ProviderUsage>();
  let written = '';
  // Text after the provider's last count of the completion: in an interrupted stream it is not counted.
  let uncounted = '';
  return {
    report(usage) {
      for (const [key, count] of Object.entries(usage) as [keyof ProviderUsage, number | undefined][]) {
        if (count === undefined) continue;
        if (isTokenCount(count, longest)) {
          reported[key] = count;
          doubtful.delete(key);
        } else {
          delete reported[key];
          doubtful.add(key);
        }
      }
      if (reported.completionTokens !== undefined && usage.completionTokens !== undefined) uncounted = '';
    },
    write(text) {
      written += text;
      uncounted += text;
    },
    total(isWhole) {
      const { promptTokens: prompt, completionTokens: completion } = reported;
      const isReported = prompt !== undefined && completion !== undefined && doubtful.size === 0;
      const usedPrompt = prompt ?? promptTokens();
      const usedCompletion =
        completion === undefined
          ? estimateTokens(written)
          : completion + (isWhole || uncounted === '' ? 0 : estimateTokens(uncounted));
      // A part is never more than its whole, and a token that was read from a cache was not written to it.
      const cachedPromptTokens = Math.min(reported.cachedPromptTokens ?? 0, usedPrompt);
      return {
        promptTokens: usedPrompt,
        completionTokens: usedCompletion,
        cachedPromptTokens,
        cacheWriteTokens: Math.min(reported.cacheWriteTokens ?? 0, usedPrompt - cachedPromptTokens),
        reasoningTokens: Math.min(reported.reasoningTokens ?? 0, usedCompletion),
        provenance: provenanceOf(isReported, prompt !== undefined || completion !== undefined, isWhole),
      };
    },
  };
}

function provenanceOf(isReported: boolean, isAnyReported: boolean, isWhole: boolean): UsageProvenance {
  if (isReported && isWhole) return UsageProvenance.REPORTED;
  return isAnyReported && !isWhole ? UsageProvenance.PARTIAL : UsageProvenance.ESTIMATED;
}

/** Usage of the contract. */
export type Usage = Omit<TokenUsage, '$typeName' | '$unknown'>;

/** Returns the usage with its cost, if the model has a price. */
export function toTokenUsage(model: string, used: UsedTokens, prices: Prices): Usage {
  const { promptTokens, completionTokens, cachedPromptTokens, cacheWriteTokens, reasoningTokens, provenance } = used;
  return {
    promptTokens: BigInt(Math.ceil(promptTokens)),
    completionTokens: BigInt(Math.ceil(completionTokens)),
    cachedPromptTokens: BigInt(Math.ceil(cachedPromptTokens)),
    cacheWriteTokens: BigInt(Math.ceil(cacheWriteTokens)),
    reasoningTokens: BigInt(Math.ceil(reasoningTokens)),
    provenance,
    fromCache: false,
    currency: '',
    priceVersion: '',
    ...prices.cost(model, used),
  };
}

/** Provenances by their certainty; a sum is as certain as the least certain of its parts. */
const certainty: readonly UsageProvenance[] = [
  UsageProvenance.REPORTED,
  UsageProvenance.PARTIAL,
  UsageProvenance.ESTIMATED,
];

/** Returns the sum of several usages. It has a cost only if each of them has one. */
export function sumUsages([first, ...rest]: readonly [Usage, ...Usage[]]): Usage {
  return rest.reduce((sum, next) => {
    const { costMicros: before, ...counts } = sum;
    return {
      ...counts,
      promptTokens: sum.promptTokens + next.promptTokens,
      completionTokens: sum.completionTokens + next.completionTokens,
      cachedPromptTokens: sum.cachedPromptTokens + next.cachedPromptTokens,
      cacheWriteTokens: sum.cacheWriteTokens + next.cacheWriteTokens,
      reasoningTokens: sum.reasoningTokens + next.reasoningTokens,
      provenance: certainty[Math.max(certainty.indexOf(sum.provenance), certainty.indexOf(next.provenance))] ?? 0,
      ...(before === undefined || next.costMicros === undefined
        ? { currency: '', priceVersion: '' }
        : { costMicros: before + next.costMicros }),
    };
  }, first);
}
