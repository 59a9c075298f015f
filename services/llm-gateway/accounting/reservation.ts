import type { ReservationAmount } from '../limits/limits.ts';
import type { Needs } from '../routing/filter.ts';
import { maxCompletionTokensOf } from '../routing/order.ts';
import type { Target } from '../targets/target.ts';
import type { Prices } from './prices.ts';

/**
 * Returns the maximum usage of one attempt at any of the targets, for the reservation: the prompt, and the completion that the caller
 * allows, otherwise the longest one of the target, otherwise `defaultCompletionTokens`. A target that only quotes uses nothing. If a
 * target has no price, the cost is not known.
 */
export function reservationAmountOf(targets: readonly Target[], needs: Needs, prices: Prices): ReservationAmount {
  let tokens = 0;
  let costMicros: bigint | undefined = 0n;
  for (const target of targets) {
    if (!target.capabilities.generative) continue;
    const completion = maxCompletionTokensOf(target, needs);
    const micros = prices.maxCost(target.name, needs.promptTokens, completion);
    tokens = Math.max(tokens, needs.promptTokens + completion);
    if (micros === undefined || costMicros === undefined) costMicros = undefined;
    else if (micros > costMicros) costMicros = micros;
  }
  return { tokens, costMicros };
}
