import type { UsageAmounts } from '#gen/ragmesh/audit/v1/usage_pb.ts';

/** What a chart shows. */
export const measures = ['cost', 'tokens', 'calls', 'answers'] as const;
export type Measure = (typeof measures)[number];

/** Returns the value of a measure; money in the currency unit. */
export function amountOf(amounts: UsageAmounts | undefined, measure: Measure): number {
  if (amounts === undefined) return 0;
  switch (measure) {
    case 'cost':
      return Number(amounts.costMicros) / 1e6;
    case 'tokens':
      return Number(amounts.promptTokens + amounts.completionTokens);
    case 'calls':
      return Number(amounts.callCount);
    case 'answers':
      return Number(amounts.answerCount);
    default:
      return measure satisfies never;
  }
}

/**
 * Returns what the cache saved: money in the currencies of which it saved any, and the tokens of answers whose model has no price, of which
 * no money is known.
 */
export function savedBy(totals: readonly UsageAmounts[]) {
  const saved = totals.filter(({ savedTokens }) => savedTokens > 0n);
  const tokensOf = (some: readonly UsageAmounts[]) => some.reduce((all, { savedTokens }) => all + savedTokens, 0n);
  return {
    priced: saved.filter(({ currency }) => currency !== ''),
    tokens: tokensOf(saved),
    unpricedTokens: tokensOf(saved.filter(({ currency }) => currency === '')),
  };
}
